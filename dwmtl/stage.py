"""What every stage script does alike: a typed command line, and errors a user can read.

Knows nothing of what the stages compute.
"""

import logging
import os
import sys
from collections.abc import Callable
from typing import Annotated, get_origin

import typer

from dwmtl.errors import USERS_ERRORS, InterruptedTrainingError, line_of
from dwmtl.files import whole_folder, write_json  # noqa: F401  for callers that have not moved yet


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
