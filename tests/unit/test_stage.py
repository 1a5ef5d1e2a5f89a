import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dwmtl.stage import whole_folder, write_json

SCRIPT = """
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
    print(mode, out)


run(main)
"""


def _run(tmp_path: Path, *options: str, more: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | (more or {}))


def _write_half(out: Path, error: type[BaseException]) -> None:
    with whole_folder(out) as folder:
        (folder / "half.txt").write_text("half")
        raise error


def test_folder_appears_whole_when_the_block_ends(tmp_path):
    with whole_folder(tmp_path / "deep" / "out") as folder:
        (folder / "a.txt").write_text("new")
        assert not (tmp_path / "deep" / "out").exists()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]
    assert (tmp_path / "deep" / "out" / "a.txt").read_text() == "new"


def test_folder_replaces_the_old_one_whole(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").write_text("old")
    with whole_folder(tmp_path / "out") as folder:
        (folder / "new.txt").write_text("new")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["new.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_block_that_raises_keeps_the_old_folder_and_leaves_nothing_else(tmp_path, error):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").write_text("old")
    with pytest.raises(error):
        _write_half(tmp_path / "out", error)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["old.txt"]


def test_what_a_killed_run_left_is_not_taken_over(tmp_path):
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "half.txt").write_text("half")
    with whole_folder(tmp_path / "out") as folder:
        assert list(folder.iterdir()) == []


def test_json_has_sorted_keys_and_the_same_bytes_for_the_same_value(tmp_path):
    write_json({"b": 1, "a": [0.1]}, tmp_path / "x" / "one.json")
    write_json({"a": [0.1], "b": 1}, tmp_path / "two.json")
    text = (tmp_path / "x" / "one.json").read_text()
    assert text == (tmp_path / "two.json").read_text() == '{\n  "a": [\n    0.1\n  ],\n  "b": 1\n}\n'
    assert json.loads(text) == {"a": [0.1], "b": 1}


def test_json_with_nan_is_refused_and_the_old_file_kept(tmp_path):
    (tmp_path / "x.json").write_text("old")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json({"a": float("nan")}, tmp_path / "x.json")
    assert (tmp_path / "x.json").read_text() == "old"


def test_users_error_is_one_message_and_exit_code_1(tmp_path):
    done = _run(tmp_path, "--mode", "user")
    assert done.returncode == 1
    assert done.stderr == "error: faces/: no such folder. Name another one.\n"


def test_of_the_processes_of_a_stopped_training_the_first_alone_says_so_and_fails(tmp_path):
    """Another one that failed would have the first killed before it has ended."""
    first, other = (_run(tmp_path, "--mode", "stopped", more={"LOCAL_RANK": rank}) for rank in ("0", "1"))
    assert (first.returncode, first.stderr) == (1, "error: stopped, and saved.\n")
    assert (other.returncode, other.stderr) == (0, "")
    assert _run(tmp_path, "--mode", "user", more={"LOCAL_RANK": "1"}).returncode == 1


def test_our_bug_keeps_its_traceback(tmp_path):
    done = _run(tmp_path, "--mode", "bug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "RuntimeError: our bug" in done.stderr


def test_every_parameter_is_an_option(tmp_path):
    assert _run(tmp_path, "--mode", "fine", "--out", "there").stdout == "fine there\n"
    assert _run(tmp_path, "--mode", "fine").stdout == "fine here\n"
    assert _run(tmp_path).returncode == 2
