"""An SQLite file of MLflow: whole or not there, whenever a process is killed that makes it."""

import os
import shutil
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from dwmtl.params import load_params
from dwmtl.tracking.experiments import start_fold_run

CONNECT = "import warnings; warnings.simplefilter('ignore'); from dwmtl.tracking.server import connect; connect()"
"""For a process of its own: MLflow keeps what a process has opened."""


@pytest.fixture
def database(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "tracked" / "mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
    return path


def is_logged() -> bool:
    with start_fold_run(load_params(), 0, data_sha256="0" * 64) as run:
        return run.is_logged


def test_a_process_that_is_killed_while_it_makes_the_database_leaves_none(python, database):
    """The first moment that a file of it is there, and later ones."""
    for wait_s in (0.0, 0.3):
        process = python.start("-c", CONNECT)
        while not list(database.parent.glob("mlflow.db.making-*/mlflow.db")):
            os.kill(process, 0)  # it is there
            time.sleep(0.005)
        time.sleep(wait_s)
        os.kill(process, signal.SIGKILL)
        assert python.wait().returncode == -signal.SIGKILL
        assert not database.exists()
    assert is_logged()
    assert sorted(path.name for path in database.parent.iterdir() if "lock" not in path.name) == ["mlflow.db"]


def test_a_database_that_a_copy_of_dvc_made_keeps_its_artifacts_in_the_checkout(python, tmp_path):
    """MLflow's own experiment, too; and MLflow's functions that take no client ask the checkout's database."""
    copy = tmp_path / ".dvc/tmp/exps/tmp3x"
    copy.mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    code = f"{CONNECT}; import mlflow; print(mlflow.get_tracking_uri())"
    done = python("-c", code, cwd=copy, env=environment)
    assert done.stdout.strip() == f"sqlite:///{tmp_path}/mlflow.db"
    assert done.stderr == ""
    assert list(copy.iterdir()) == []
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as opened:
        (location,) = opened.execute("SELECT artifact_location FROM experiments").fetchone()
    assert location == (tmp_path / "mlruns/0").as_uri() or location == str(tmp_path / "mlruns/0")


def half_made(path: Path, statement: str) -> None:
    """Make of a database what a killed process of an earlier version left."""
    with closing(sqlite3.connect(path)) as opened:
        opened.execute(statement)
        opened.commit()


@pytest.mark.parametrize(
    "left", ["UPDATE alembic_version SET version_num = '451aebb31d03'", "DELETE FROM alembic_version", None]
)
def test_a_database_that_was_left_half_made_is_made_anew(python, database, empty_database, left):
    database.parent.mkdir()
    if left is None:
        with closing(sqlite3.connect(database)) as opened:
            opened.execute("CREATE TABLE experiments (experiment_id INTEGER)")
    else:
        shutil.copy(empty_database, database)
        half_made(database, left)
    done = python("-c", CONNECT)
    assert done.returncode == 0, done.stderr
    assert "was left half made and holds no run; it is made anew" in done.stderr
    assert "alembic_version" in tables(database)


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as opened:
        return {name for (name,) in opened.execute("SELECT name FROM sqlite_master")}


def test_a_database_with_a_run_is_never_made_anew(python, database, empty_database):
    database.parent.mkdir()
    shutil.copy(empty_database, database)
    assert is_logged()
    half_made(database, "UPDATE alembic_version SET version_num = '451aebb31d03'")
    before = database.read_bytes()
    done = python("-c", CONNECT)
    assert "out-of-date database schema" in done.stderr
    assert database.read_bytes() == before


def test_another_programs_database_is_never_made_anew(python, database):
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("CREATE TABLE photos (name TEXT)")
    python("-c", CONNECT)
    assert "photos" in tables(database)
