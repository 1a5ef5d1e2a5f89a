import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = """
import time
from pathlib import Path

from dwmtl.errors import DataSetError, InterruptedTrainingError
from dwmtl.stage import run


def main(mode: str, out: Path = Path("here")) -> None:
    if mode == "user":
        raise DataSetError("faces/: no such folder. Name another one.")
    if mode == "stopped":
        raise InterruptedTrainingError("stopped, and saved.")
    if mode == "bug":
        raise RuntimeError("our bug")
    if mode == "system":
        open(out / "x", "w")
    if mode == "slow":
        with open(out, "x"):
            time.sleep(600)
    if mode == "encoding":
        open(out, "w", encoding="utf-8").write("\\udcff")
    print(mode, out)


run(main)
"""


def _start(tmp_path: Path, *options: str, more: dict[str, str] | None = None) -> subprocess.Popen:
    (tmp_path / "script.py").write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, "script.py", *options],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | (more or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _run(tmp_path: Path, *options: str, more: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    process = _start(tmp_path, *options, more=more)
    output, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def test_users_error_is_one_message_and_exit_code_1(tmp_path):
    done = _run(tmp_path, "--mode", "user")
    assert done.returncode == 1
    assert done.stderr == "error: faces/: no such folder. Name another one.\n"


def test_what_the_system_refuses_is_one_line_with_the_path_and_the_cure(tmp_path):
    (tmp_path / "file").write_text("")
    for out, line in (
        ("none", f"{tmp_path}/none/x: No such file or directory."),
        ("file", f"{tmp_path}/file/x: Not a directory. A file stands where a folder is meant; name another place."),
        ("a" * 300, f"{tmp_path}/{'a' * 300}/x: File name too long. Shorten the name."),
    ):
        done = _run(tmp_path, "--mode", "system", "--out", str(tmp_path / out))
        assert (done.returncode, done.stderr) == (1, f"error: {line}\n")


def test_text_in_no_encoding_is_one_line(tmp_path):
    done = _run(tmp_path, "--mode", "encoding", "--out", str(tmp_path / "x"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("error: '\\udcff': it cannot be read or written as utf-8.")


def by_srun(rank: int) -> dict[str, str]:
    return {"SLURM_NTASKS": "2", "SLURM_LOCALID": str(rank), "SLURM_JOB_NAME": "train"}


@pytest.mark.parametrize("started", [lambda rank: {"LOCAL_RANK": str(rank)}, by_srun])
def test_of_the_processes_of_a_stopped_training_the_first_alone_says_so_and_fails(tmp_path, started):
    """Another one that failed would have the first killed before it has ended."""
    first, other = (_run(tmp_path, "--mode", "stopped", more=started(rank)) for rank in (0, 1))
    assert (first.returncode, first.stderr) == (1, "error: stopped, and saved.\n")
    assert (other.returncode, other.stderr) == (0, "")
    assert _run(tmp_path, "--mode", "user", more=started(1)).returncode == 1


def test_our_bug_keeps_its_traceback(tmp_path):
    done = _run(tmp_path, "--mode", "bug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "RuntimeError: our bug" in done.stderr


def test_every_parameter_is_an_option(tmp_path):
    assert _run(tmp_path, "--mode", "fine", "--out", "there").stdout == "fine there\n"
    assert _run(tmp_path, "--mode", "fine").stdout == "fine here\n"
    assert _run(tmp_path).returncode == 2


def _wait_for(path: Path) -> None:
    end_s = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end_s, path
        time.sleep(0.05)


def test_a_stage_waits_until_the_process_that_a_killed_dvc_left_has_ended(tmp_path):
    options = ("--mode", "slow", "--out", "out")
    left = _start(tmp_path, *options)
    _wait_for(tmp_path / "out")
    again = _start(tmp_path, *options)
    told = again.stderr.readline()
    assert told.startswith(f"WARNING: process {left.pid} still runs this stage")
    assert _run(tmp_path, "--mode", "fine").returncode == 0  # another command does not wait
    assert again.poll() is None
    (tmp_path / "out").unlink()
    left.send_signal(signal.SIGKILL)  # whatever ends it
    _wait_for(tmp_path / "out")
    for process in (left, again):
        process.kill()
        process.communicate()


@pytest.mark.parametrize("more", [{"LOCAL_RANK": "1"}, by_srun(1)])
def test_the_processes_of_one_training_do_not_wait_for_each_other(tmp_path, more):
    options = ("--mode", "slow", "--out", "out")
    first = _start(tmp_path, *options)
    _wait_for(tmp_path / "out")
    other = _run(tmp_path, *options, more=more)
    assert "FileExistsError" in other.stderr or "File exists" in other.stderr
    first.kill()
    first.communicate()


def test_no_garbage_is_looked_for_among_what_a_stage_has_imported(tmp_path):
    (tmp_path / "script.py").write_text("""
import atexit
import gc

from dwmtl.stage import run

at_start = []
made = []
atexit.register(lambda: print(0 < at_start[0], at_start[0] + 1000 <= gc.get_freeze_count()))  # after the stage's own


def main() -> None:
    at_start.append(gc.get_freeze_count())
    made.extend([] for _ in range(1000))


run(main)
""")
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "True True\n"
