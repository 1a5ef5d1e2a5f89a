"""A Python that has imported what takes seconds to import; it forks, and each fork becomes `python ARGUMENTS`.

`forking_python.py KIND`, of SLOW_TO_IMPORT, serves the listening socket that is its standard input. Each request is the
JSON of a program, with the three files of its standard streams; the answers are two lines, the fork's process id and
its exit status. As `forking_python.py SOCKET ARGUMENTS` it is such a program in the place of a plain Python.
Only packages of others are imported before the fork: a program imports `dwmtl` itself.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, TextIO

SLOW_TO_IMPORT = {
    "python": (
        *("cv2", "facenet_pytorch", "jinja2", "lightning_fabric", "matplotlib.figure"),
        *("mlflow.store.tracking.sqlalchemy_store", "pandas", "pydantic", "ruamel.yaml", "safetensors.torch"),
        *("sklearn.metrics", "sqlalchemy.dialects.sqlite", "timm", "torch", "torchvision", "typer"),
    ),
    "dvc": (  # alone: a fork of a Python that has imported torch costs more than what DVC imports
        *("dulwich.worktree", "dvc.cli.parser", "dvc.repo.experiments.queue.celery", "dvc.repo.graph"),
        *("dvc.repo.index", "dvc_task.app.filesystem", "networkx", "pygit2", "pyparsing", "rich.table", "ruamel.yaml"),
    ),
}


def start(
    address: str, arguments: Sequence[str], *, folder: str, environment: Mapping[str, str], streams: Sequence[int]
) -> tuple[int, TextIO]:
    """Start `python ARGUMENTS`; its process id, and the file whose next line will be its exit status."""
    request = json.dumps({"arguments": arguments, "folder": folder, "environment": dict(environment)})
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [b" "], streams)  # with a byte that JSON allows
        connection.sendall(request.encode())
        connection.shutdown(socket.SHUT_WR)
        answers = connection.makefile()
    return int(answers.readline()), answers


def run_here(address: str, *arguments: str) -> int:
    """As `python ARGUMENTS` in this process's place: with its streams, and the signals that it gets; its status."""
    where = {"folder": os.getcwd(), "environment": os.environ}
    process, answers = start(address, arguments, **where, streams=(0, 1, 2))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: os.kill(process, number))
    status = int(answers.readline())
    if status < 0:  # as killed by that signal
        end_by_signal(-status)
    return status


def end_by_signal(number: int) -> None:
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def serve(listening: socket.socket) -> dict:
    """Fork for every request; returns in the fork, with what it is to become."""
    running: dict[int, socket.socket] = {}
    ended, signalled = socket.socketpair()
    signalled.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)  # a handler may run only after the wait
    while True:
        for ready in select.select([listening, ended], [], [])[0]:
            if ready is ended:
                ended.recv(2**10)
                answer_ended(running)
                continue
            connection, _ = listening.accept()
            program = receive(connection)
            if not (process := os.fork()):
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for other in (listening, ended, signalled, connection, *running.values()):
                    other.close()
                return program
            for stream in program["streams"]:
                os.close(stream)
            send(connection, process)
            running[process] = connection


def answer_ended(running: dict[int, socket.socket]) -> None:
    """Send the status of every fork that has ended to whom asked for it."""
    while running and (ended := os.waitpid(-1, os.WNOHANG))[0]:
        with running.pop(ended[0]) as connection:
            send(connection, os.waitstatus_to_exitcode(ended[1]))


def receive(connection: socket.socket) -> dict:
    """A request: what is to be run, and its standard streams."""
    request, streams, _, _ = socket.recv_fds(connection, 1, 3)
    while more := connection.recv(2**16):
        request += more
    return json.loads(request) | {"streams": streams}


def send(connection: socket.socket, number: int) -> None:
    """A line of an answer."""
    with contextlib.suppress(OSError):  # who asked was killed
        connection.sendall(b"%d\n" % number)


def become(arguments: list[str], folder: str, environment: dict[str, str], streams: list[int]) -> None:
    """Run `python ARGUMENTS` in a folder, with its standard streams."""
    import runpy
    from pathlib import Path

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdout = os.fdopen(1, "w", closefd=False)  # the server's may be files, where these are pipes
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[1:1] = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    if arguments[0] == "-m":
        sys.argv, sys.path[0] = arguments[1:], folder
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif arguments[0] == "-c":
        sys.argv, sys.path[0] = ["-c", *arguments[2:]], folder
        exec(arguments[1], {"__name__": "__main__"})
    else:
        sys.argv, sys.path[0] = arguments, str(Path(arguments[0]).resolve().parent)
        runpy.run_path(arguments[0], run_name="__main__")


def status_of(program: Callable[[], None]) -> int:
    """The exit status of a program, after it has said why it failed; a signal's number, negative, if that ends it."""
    try:
        program()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)
        return 1
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    return 0


def leave(status: int) -> NoReturn:
    """End as Python does, but for freeing what was imported, object by object: it takes longer than most programs."""
    import atexit
    import threading

    threading._shutdown()  # waits for the threads that are no daemons
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if not stream.closed:
                stream.flush()
        except OSError as error:  # as of a full disk, or a pipe that nobody reads
            status = 120
            if stream is sys.stdout:
                print(f"Exception ignored in: {stream!r}\n{type(error).__name__}: {error}", file=sys.stderr)
    if status < 0:
        end_by_signal(-status)
    os._exit(status)


def main(kind: str) -> None:
    import gc
    from importlib import import_module

    listening = socket.socket(fileno=os.dup(0))
    for name in SLOW_TO_IMPORT[kind]:
        import_module(name)
    gc.freeze()  # else a fork's collections would copy every page that it shares
    program = serve(listening)
    leave(status_of(lambda: become(**program)))


if __name__ == "__main__":
    sys.exit(run_here(*sys.argv[1:]) if len(sys.argv) > 2 else main(sys.argv[1]))
