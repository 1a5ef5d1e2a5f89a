"""A checkout that is moved or copied keeps its artifacts beside its mlflow.db, and leaves the old folder alone."""

import functools
import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from dwmtl.params import load_params
from dwmtl.tracking.experiments import resume_model_run, start_fold_run
from dwmtl.tracking.moved import follow_artifacts
from dwmtl.tracking.server import connect, download

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A checkout with a run, its file `x.txt` among the artifacts, and a registered model."""
    folder = tmp_path_factory.mktemp("made") / "checkout"
    with pytest.MonkeyPatch.context() as patch:
        work_in(folder, patch)
        run = log("0")
        client = connect()
        model = client.create_logged_model(client.get_run(run).info.experiment_id, "model", source_run_id=run)
        client.log_model_artifacts(model.model_id, str(folder / "files"))
        client.create_registered_model("dwmtl")
        client.create_model_version("dwmtl", f"models:/{model.model_id}", run_id=run, model_id=model.model_id)
    return folder


@pytest.fixture
def old(made, tmp_path) -> Path:
    """The checkout, in this test's folder."""
    folder = tmp_path / "old"
    shutil.copytree(made, folder)
    with closing(sqlite3.connect(made / "mlflow.db")) as database:
        statements = "\n".join(database.iterdump()).replace(str(made), str(folder))
    (folder / "mlflow.db").unlink()
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        database.executescript(statements)
    return folder


def work_in(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Go into a checkout, with the URI that is the default there; MLflow keeps what it has opened by its name."""
    (folder / "files").mkdir(parents=True, exist_ok=True)
    (folder / "files/x.txt").write_text("x")
    patch.chdir(folder)
    patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{quote(str(folder))}/mlflow.db")
    patch.delenv("DVC_EXP_NAME", raising=False)


def log(model: str) -> str:
    """Log a run with a file, as a stage does; its id."""
    with start_fold_run(load_params(REPOSITORY / "params.yaml"), 0, data_sha256="0" * 64, stage="") as run:
        run.set_tag("dwmtl.model_sha256", model)
        run.log_folder(Path("files"), "training")
        assert run.is_logged
    return run.run_id


def files_of_runs(folder: Path) -> int:
    return len(list(folder.glob("mlruns/*/*/artifacts/training/x.txt")))


def test_artifacts_are_beside_the_database_wherever_the_stage_runs(tmp_path, monkeypatch):
    for name in ("shared", "a # % 20%41 ö"):
        folder = tmp_path / name
        work_in(folder, monkeypatch)
        (tmp_path / "elsewhere/files").mkdir(parents=True, exist_ok=True)
        (tmp_path / "elsewhere/files/x.txt").write_text("x")
        monkeypatch.chdir(tmp_path / "elsewhere")
        log("1")
        assert files_of_runs(folder) == 1
        assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == ["files"]


def test_a_moved_checkout_logs_beside_its_database(old, monkeypatch):
    new = old.rename(old.with_name("new"))
    work_in(new, monkeypatch)
    log("1")
    assert files_of_runs(new) == 2
    assert not old.exists()


def test_a_copied_checkout_logs_beside_its_database_and_not_into_the_original(old, tmp_path, monkeypatch):
    new = tmp_path / "a copy, 100 % ö"
    shutil.copytree(old, new)
    before = (old / "mlflow.db").read_bytes()
    work_in(new, monkeypatch)
    log("1")
    assert (files_of_runs(old), files_of_runs(new)) == (1, 2)
    assert (old / "mlflow.db").read_bytes() == before


def test_a_model_of_a_moved_checkout_is_found(old, tmp_path, monkeypatch):
    new = old.rename(old.with_name("new"))
    work_in(new, monkeypatch)
    assert (download("models:/dwmtl/1", tmp_path / "out") / "x.txt").read_text() == "x"


def test_a_resumed_run_of_a_moved_checkout_has_its_artifacts_beside_the_database(old, monkeypatch):
    new = old.rename(old.with_name("new"))
    work_in(new, monkeypatch)
    run = resume_model_run(load_params(REPOSITORY / "params.yaml"), "0", stage="")
    uri = run.ask(lambda client, run_id: client.get_run(run_id).info.artifact_uri)
    assert uri == f"{new.as_uri()}/mlruns/dwmtl/{run.run_id}/artifacts"


def test_a_checkout_that_moves_there_and_back_keeps_its_artifacts(old, monkeypatch):
    for number, (here, there) in enumerate([(old, old.with_name("new")), (old.with_name("new"), old)]):
        here.rename(there)
        work_in(there, monkeypatch)
        log(f"{number}")
    assert files_of_runs(old) == 3


def test_a_database_copied_without_its_artifacts_is_a_warning_with_both_folders(old, tmp_path, monkeypatch, caplog):
    new = tmp_path / "new"
    new.mkdir()
    shutil.copy(old / "mlflow.db", new)
    work_in(new, monkeypatch)
    log("1")
    assert f"keeps its artifacts in {old}/mlruns/dwmtl, not in {new}/mlruns" in caplog.text
    assert files_of_runs(old) == 2


def test_artifacts_that_the_user_put_elsewhere_stay_there(tmp_path, monkeypatch, caplog):
    work_in(tmp_path / "old", monkeypatch)
    connect().create_experiment("dwmtl", artifact_location=(tmp_path / "store").as_uri())
    (tmp_path / "old").rename(tmp_path / "new")
    work_in(tmp_path / "new", monkeypatch)
    log("1")
    assert len(list((tmp_path / "store").rglob("x.txt"))) == 1
    assert "store" not in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_database_that_cannot_be_changed_is_a_warning_with_both_folders(old, monkeypatch, caplog):
    new = old.rename(old.with_name("new"))
    work_in(new, monkeypatch)
    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, timeout=0.1))  # in place of 5 s
    with closing(sqlite3.connect(new / "mlflow.db")) as other:
        other.execute("BEGIN IMMEDIATE")  # as by a process that writes
        follow_artifacts(new / "mlflow.db")
    assert f"artifacts are in {new}/mlruns/dwmtl, the database names {old}/mlruns/dwmtl and cannot be" in caplog.text


def test_what_was_moved_is_told(old, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    new = old.rename(old.with_name("new"))
    work_in(new, monkeypatch)
    connect()
    assert f"its artifacts are in {new}/mlruns/dwmtl, no longer in {old}/mlruns/dwmtl" in caplog.text
