import platform
import subprocess

import pytest

from dwmtl.tracking.machine import commit, hardware


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    done = subprocess.run(["git", *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with a commit, and in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "metrics").mkdir()
    for name in ("params.yaml", "dvc.lock", "metrics/summary.json"):
        (tmp_path / name).write_text("1")
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "first")
    return tmp_path


def test_a_clean_tree_is_its_commit(checkout):
    found = commit()
    assert (found.sha, found.changed) == (git("rev-parse", "HEAD"), ())


def test_changed_files_are_named_but_not_what_a_run_writes(checkout):
    for name in ("params.yaml", "dvc.lock", "metrics/summary.json"):
        (checkout / name).write_text("2")
    assert commit().changed == ("params.yaml",)


def test_no_checkout_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit() is None


def test_without_git_there_is_no_commit(checkout, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert commit() is None


def test_hardware_is_told_without_the_hosts_name():
    found = hardware()
    assert {"processor", "cores", "GPU", "Python", "torch"} <= set(found)
    assert int(found["cores"]) > 0
    assert all(found.values())
    host = platform.node()
    assert not host or host not in " ".join(found.values()).split()
