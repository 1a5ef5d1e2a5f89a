import os
import subprocess
import sys
from pathlib import Path

import pytest

from dwmtl.checkout import STATE, checkout, is_copy, keep_state, link_outside
from dwmtl.tracking.server import tracking_uri

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path) -> Path:
    """A checkout in a git repository, with a folder of photos beside it."""
    folder = tmp_path / "work/a checkout"
    (folder / ".git").mkdir(parents=True)
    (folder / ".dvc").mkdir()
    (tmp_path / "work/photos/yale").mkdir(parents=True)
    (folder / "params.yaml").write_text("folds: [0]\n")
    return folder


def copy_of(root: Path, below: str, *, project: str = "") -> Path:
    """A folder where DVC would copy the checkout to; `project`: its place below the git repository's root."""
    copy = root / ".dvc/tmp/exps" / below / project
    copy.mkdir(parents=True)
    (copy / "params.yaml").write_text((root / "params.yaml").read_text())
    return copy


COPIES = pytest.mark.parametrize("below", ["tmp3x", "standalone/tmp3x"], ids=["queued", "--temp"])


@COPIES
@pytest.mark.parametrize("project", ["", "faces/train"], ids=["repository", "below a monorepo's folder"])
def test_the_checkout_is_found_from_a_copy(root, monkeypatch, below, project):
    monkeypatch.chdir(copy_of(root, below, project=project))
    assert (checkout(), is_copy()) == (root, True)


def test_a_working_directory_that_is_no_copy_is_the_checkout(root, monkeypatch):
    monkeypatch.chdir(root)
    assert (checkout(), is_copy()) == (root, False)


def test_runs_of_a_copy_go_to_the_checkouts_database_unless_a_server_is_named(root, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(root)
    assert tracking_uri() == "sqlite:///mlflow.db"
    monkeypatch.chdir(copy_of(root, "tmp3x"))
    assert tracking_uri() == f"sqlite:///{root}/mlflow.db".replace(" ", "%20")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert tracking_uri() == "http://host:5000"


def test_copies_with_the_same_params_share_their_state_and_others_do_not(root, monkeypatch):
    first, again, other = (copy_of(root, f"tmp{number}") for number in range(3))
    (other / "params.yaml").write_text("folds: [1]\n")
    for copy in (first, again, other):
        monkeypatch.chdir(copy)
        keep_state()
        keep_state()  # of the next stage
    (first / STATE / "checkpoint.pt").write_text("step 3")
    assert (again / STATE / "checkpoint.pt").read_text() == "step 3"
    assert list((other / STATE).iterdir()) == []
    assert (other / STATE).resolve().is_relative_to(root / STATE)


def test_a_checkout_keeps_its_state_where_it_is(root, monkeypatch):
    monkeypatch.chdir(root)
    keep_state()
    assert not STATE.exists()


STAGE = "from dwmtl.stage import run\n\n\ndef main() -> None:\n    pass\n\n\nrun(main)\n"


def test_a_stage_in_a_copy_holds_its_lock_in_the_checkout(root):
    copy = copy_of(root, "tmp3x")
    (copy / "script.py").write_text(STAGE)
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, "script.py"], cwd=copy, env=environment, check=True)
    assert len(list((root / STATE).glob("experiments/*/running/script-*.lock"))) == 1


@COPIES
def test_a_folder_beside_the_checkout_is_found_from_a_copy(root, monkeypatch, below):
    monkeypatch.chdir(root)
    link_outside("../photos/yale")
    link_outside("../photos/yale")
    monkeypatch.chdir(copy_of(root, below))
    assert Path("../photos/yale").samefile(root / "../photos/yale")


def test_links_follow_a_checkout_that_is_moved_and_are_made_anew_where_they_lead_nowhere(root, monkeypatch, tmp_path):
    monkeypatch.chdir(root)
    link_outside("../photos/yale")
    (tmp_path / "work").rename(tmp_path / "moved")
    moved = tmp_path / "moved/a checkout"
    monkeypatch.chdir(copy_of(moved, "tmp3x"))
    assert Path("../photos/yale").is_dir()
    deeper = tmp_path / "moved/deeper"
    deeper.mkdir()
    moved.rename(deeper / "a checkout")
    (tmp_path / "moved/photos").rename(deeper / "photos")
    (deeper / "a checkout/.dvc/tmp/exps/photos").unlink()
    (deeper / "a checkout/.dvc/tmp/exps/photos").symlink_to("nowhere")
    monkeypatch.chdir(deeper / "a checkout")
    link_outside("../photos/yale")
    assert Path(".dvc/tmp/exps/photos/yale").is_dir()


def test_a_folder_outside_a_monorepo_is_found_from_the_copy_of_the_project(root, monkeypatch, tmp_path):
    project = root / "faces"
    (project / ".dvc").mkdir(parents=True)
    (project / "params.yaml").write_text("")
    monkeypatch.chdir(project)
    link_outside("../../photos/yale")
    monkeypatch.chdir(copy_of(project, "tmp3x", project="faces"))
    assert Path("../../photos/yale").samefile(tmp_path / "work/photos/yale")


@pytest.mark.parametrize("folder", ["data/raw", "/photos", "..", "../../../../photos", "."])
def test_no_link_is_made_for_a_folder_that_needs_none_or_is_too_far_up(root, monkeypatch, folder):
    monkeypatch.chdir(root)
    link_outside(folder)
    assert not (root / ".dvc/tmp").exists()
