"""What every stage script does alike: a typed command line, errors a user can read, one process at a time; and the
digest of the code by which an interrupted stage knows whether what it left behind is still right.

Knows nothing of what the stages compute.
"""

import atexit
import gc
import hashlib
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Annotated, get_origin

import typer

from dwmtl.checkout import STATE, keep_state
from dwmtl.errors import USERS_ERRORS, InterruptedTrainingError, install_line, line_of
from dwmtl.files import write_text
from dwmtl.progress import log_lines_above_bars

log = logging.getLogger(__name__)

RUNNING = STATE / "running"
"""A lock per command of a stage that has run in this folder."""


def _print_missing_extra(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the cure for an import that needs an extra; any other exception keeps its traceback."""
    if isinstance(error, ImportError) and (line := install_line(error)):
        print(f"error: {line}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


if Path(sys.argv[0] if sys.argv else "").parent.name == "stages":  # other programs import this module for the digest
    sys.excepthook = _print_missing_extra  # a script's imports fail before it calls `run`


def run(main: Callable) -> None:
    """Run a stage script's `main` from the command line: each of its parameters is an option, `--name value`.

    A `DwmtlError`, and what the system refuses, is printed as one message and the process exits with 1; any other
    exception keeps its traceback. Waits while another process runs the same command.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    keep_imports()
    main.__annotations__ = {
        name: kind if get_origin(kind) is Annotated or name == "return" else Annotated[kind, typer.Option()]
        for name, kind in main.__annotations__.items()
    }
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        keep_state()
        with log_lines_above_bars(), _one_at_a_time():
            app()
    except USERS_ERRORS as error:
        if isinstance(error, InterruptedTrainingError) and (local_rank() or 0) > 0:
            sys.exit(0)  # the first process says it, and would be killed if another failed
        print(f"error: {line_of(error)}", file=sys.stderr)
        sys.exit(1)


def keep_imports() -> None:
    """Let the garbage collector pass over what has been imported, now and when the process ends.

    It all stays until then, and what torch, MLflow and the rest hold are half a million objects, which Python would
    otherwise search again and again, for up to three seconds at the end.
    """
    gc.freeze()
    atexit.register(gc.freeze)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Wait until no other process runs this command in this folder.

    A DVC that is killed leaves its stage running. The next `dvc repro` starts the stage again, and the two would
    replace each other's checkpoints and outputs.
    """
    if local_rank() is not None:
        yield
        return
    from filelock import FileLock, Timeout

    digest = hashlib.sha256(os.fsencode("\n".join(sys.argv))).hexdigest()[:16]
    name = f"{Path(sys.argv[0]).stem}-{digest}"
    lock, process = FileLock(RUNNING / f"{name}.lock"), RUNNING / f"{name}.pid"
    RUNNING.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.warning(
            "process %s still runs this stage, as after a `dvc repro` that was killed; waiting until it ends. To "
            "continue sooner, end it with `kill`: a training saves its state first.",
            process.read_text() if process.exists() else "(starting)",
        )
        lock.acquire()
    try:
        write_text(str(os.getpid()), process)
        yield
    finally:
        lock.release()


def num_started() -> int | None:
    """How many processes of one training were started together with this one: by another of them, `torchrun` or srun.

    None where this one was started alone; so are those of an interactive job of SLURM, in Fabric's reading.
    """
    if "WORLD_SIZE" in os.environ:
        return int(os.environ["WORLD_SIZE"])
    is_interactive = os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive")
    return int(os.environ["SLURM_NTASKS"]) if "SLURM_NTASKS" in os.environ and not is_interactive else None


def local_rank() -> int | None:
    """The number of this process among those of one training on this node; None where it was started alone."""
    if "LOCAL_RANK" in os.environ:
        return int(os.environ["LOCAL_RANK"])
    return int(os.environ.get("SLURM_LOCALID", 0)) if (num_started() or 1) > 1 else None


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
