"""What every stage script does alike: a typed command line, errors a user can read; and the digest of the code by which
an interrupted stage knows whether what it left behind is still right.

Knows nothing of what the stages compute.
"""

import hashlib
import logging
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, get_origin

import typer

from dwmtl.errors import USERS_ERRORS, InterruptedTrainingError, line_of


def run(main: Callable) -> None:
    """Run a stage script's `main` from the command line: each of its parameters is an option, `--name value`.

    A `DwmtlError`, and what the system refuses, is printed as one message and the process exits with 1; any other
    exception keeps its traceback.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    main.__annotations__ = {
        name: kind if get_origin(kind) is Annotated or name == "return" else Annotated[kind, typer.Option()]
        for name, kind in main.__annotations__.items()
    }
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except USERS_ERRORS as error:
        if isinstance(error, InterruptedTrainingError) and os.environ.get("LOCAL_RANK", "0") != "0":
            sys.exit(0)  # the first process says it, and would be killed if another failed
        print(f"error: {line_of(error)}", file=sys.stderr)
        sys.exit(1)


def code_sha256(parts: Iterable[str]) -> str:
    """Digest of the Python files of parts of `dwmtl`, hexadecimal: names and contents.

    Args:
        parts: packages and files below `dwmtl`: `crops`, `datasets/packs`, `tables.py`.
    """
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for part in sorted(parts):
        path = root / part
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            digest.update(f"{file.relative_to(root).as_posix()}\n".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()
