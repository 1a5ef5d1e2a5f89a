"""A checkout without git: DVC's need is told, with its cures, before anything is installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def unpacked(tmp_path) -> Path:
    """What `make repro` needs of an archive of the project, in a folder with a blank in its name."""
    folder = tmp_path / "a folder"
    (folder / ".dvc").mkdir(parents=True)
    for name in ("Makefile", "project.mk", "dvc.yaml", "params.yaml", ".dvc/config"):
        shutil.copy(REPOSITORY / name, folder / name)
    return folder


def made(folder: Path, target: str) -> subprocess.CompletedProcess:
    """`make`, with a home of the test's own, and a Python that fails: nothing is installed."""
    environment = os.environ | {"HOME": str(folder.parent / "home")}
    command = ["make", target, "PYTHON=false"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def without_scm(folder: Path) -> None:
    with (folder / ".dvc/config").open("a") as config:
        config.write("    no_scm = true\n")


def test_a_folder_without_git_is_told_before_the_install(unpacked):
    done = made(unpacked, "repro")
    assert done.returncode != 0
    assert f"error: {unpacked}: not in a git repository, which DVC needs. Run: git init." in done.stderr
    assert "echo '    no_scm = true' >> .dvc/config" in done.stderr
    assert not (unpacked / ".venv").exists()


def test_dvc_runs_after_either_cure(unpacked):
    def dvc() -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "dvc", "stage", "list", "--name-only"]
        return subprocess.run(command, cwd=unpacked, capture_output=True, text=True, check=False)

    assert "is not a git repository" in dvc().stderr
    without_scm(unpacked)
    assert "train@0" in dvc().stdout.split()
    shutil.copy(REPOSITORY / ".dvc/config", unpacked / ".dvc/config")
    subprocess.run(["git", "init", "--quiet"], cwd=unpacked, check=True)
    assert "train@0" in dvc().stdout.split()


@pytest.mark.parametrize(
    "prepare",
    [
        lambda folder: (folder / ".git").mkdir(),
        lambda folder: (folder / ".git").write_text("gitdir: /elsewhere"),  # a worktree, a submodule
        lambda folder: (folder.parent / ".git").mkdir(),
        without_scm,
        lambda folder: (folder / ".dvc/config.local").write_text("[core]\n    no_scm=True\n"),
    ],
    ids=["checkout", "worktree", "below a repository", "told", "told for this machine"],
)
def test_a_folder_that_dvc_takes_is_let_through(unpacked, prepare):
    prepare(unpacked)
    assert made(unpacked, "repository").returncode == 0
