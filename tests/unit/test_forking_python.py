"""The Python of the tests that forks for each program (`forking_python.py`): whoever asked learns how it ended."""

import runpy
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

FORKING_PYTHON = Path(__file__).resolve().parents[1] / "forking_python.py"
forking_python = SimpleNamespace(**runpy.run_path(str(FORKING_PYTHON)))

SERVER = f"""
import contextlib, os, runpy, select, socket

wait = select.select


def wait_late(*streams):
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
    return wait(*streams)


select.select = wait_late
runpy.run_path({str(FORKING_PYTHON)!r})["serve"](socket.socket(fileno=os.dup(0)))
os._exit(3)
"""


@pytest.mark.timeout(60)
def test_a_program_that_ended_before_its_server_waits_is_answered(tmp_path):
    """Its signal came before the wait, which it does not end."""
    address = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=listening)
    try:
        _, answers = forking_python.start(address, [], folder=str(tmp_path), environment={}, streams=(0, 1, 2))
        with answers:
            assert answers.readline() == "3\n"
    finally:
        server.kill()
        server.wait()
