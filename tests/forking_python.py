"""A Python that has imported what takes seconds to import; it forks, and each fork becomes `python ARGUMENTS`.

Reads a line of JSON per program from stdin, and answers with two lines: the fork's process id, and its exit status.
Only packages of others are imported before the fork: a program imports `dwmtl` itself.
"""

import gc
import json
import multiprocessing
import os
import runpy
import sys
from importlib import import_module
from pathlib import Path

SLOW_TO_IMPORT = (
    *("cv2", "facenet_pytorch", "lightning_fabric", "matplotlib.figure", "mlflow.store.tracking.sqlalchemy_store"),
    *("pandas", "pydantic", "safetensors.torch", "sklearn.metrics", "timm", "torch", "torchvision", "typer"),
)


def serve() -> None:
    """Fork for every line, one program at a time."""
    for line in sys.stdin:
        program = multiprocessing.get_context("fork").Process(target=become, kwargs=json.loads(line))
        program.start()
        print(program.pid, flush=True)
        program.join()
        print(program.exitcode, flush=True)


def become(arguments: list[str], folder: str, environment: dict[str, str], output: str, errors: str) -> None:
    """Run `python ARGUMENTS` in a folder, with its standard streams in files and no input."""
    for stream, path in ((1, output), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    if arguments[0] == "-m":
        sys.argv, sys.path[0] = arguments[1:], folder
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif arguments[0] == "-c":
        sys.argv, sys.path[0] = ["-c", *arguments[2:]], folder
        exec(arguments[1], {"__name__": "__main__"})
    else:
        sys.argv, sys.path[0] = arguments, str(Path(arguments[0]).resolve().parent)
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    for name in SLOW_TO_IMPORT:
        import_module(name)
    gc.freeze()  # else a fork's collections would copy every page that it shares
    serve()
