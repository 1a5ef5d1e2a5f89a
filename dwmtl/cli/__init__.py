"""The command line: `dwmtl COMMAND`. A command imports what it needs when it runs, so that `dwmtl --help` is fast.

Exit codes: 0: done, or the answer is yes; 1: an error of the input or the system, printed in one line; 2: an invalid
command line; 3: the answer is no (`verify`, `authenticate`).
"""

import atexit
import gc
import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from dwmtl import __version__
from dwmtl.cli.check import check
from dwmtl.cli.checkpoints import export_checkpoint, export_model, export_onnx, import_checkpoint
from dwmtl.cli.demo import demo
from dwmtl.cli.exchange import export_labels, export_pairs, extract
from dwmtl.cli.faces import align, analyze, authenticate, embed, verify
from dwmtl.cli.folds import import_folds
from dwmtl.cli.new import new
from dwmtl.cli.runs import compare, promote, resend
from dwmtl.cli.scores import evaluate, evaluate_ijb, score_pairs
from dwmtl.cli.start_from import start_from
from dwmtl.errors import USERS_ERRORS, install_line, line_of

app = typer.Typer(pretty_exceptions_enable=False, no_args_is_help=True)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"dwmtl {__version__}")
        raise typer.Exit


@app.callback()
def dwmtl(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Multi-task learning for face and expression recognition. `dvc repro` runs the pipeline."""


_COMMANDS = {
    "Use a model": (analyze, verify, authenticate, align, embed, demo, export_model, export_onnx),
    "Score": (score_pairs, evaluate, evaluate_ijb),
    "Run the pipeline": (new, check),
    "Runs in MLflow": (compare, promote, resend),
    "Exchange with other projects": (
        start_from,
        import_checkpoint,
        export_checkpoint,
        import_folds,
        export_labels,
        export_pairs,
        extract,
    ),
}
for _panel, _commands in _COMMANDS.items():
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)


def main() -> None:
    """Run the command line.

    An error of the input or the system, or a missing extra, is printed in one line, with the exit code 1.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a photo's name may not be in the terminal's encoding
    atexit.register(gc.freeze)  # as in a stage: `stage.keep_imports`
    try:
        app(prog_name="dwmtl")
    except USERS_ERRORS as error:
        print(f"error: {line_of(error)}", file=sys.stderr)
        sys.exit(1)
    except ImportError as error:
        if (line := install_line(error)) is None:
            raise
        print(f"error: {line}", file=sys.stderr)
        sys.exit(1)
