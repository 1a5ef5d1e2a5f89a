"""An SQLite file of MLflow: whole or not there, whenever a process is killed that makes it."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from dwmtl.params import load_params
from dwmtl.tracking.experiments import start_fold_run
from dwmtl.tracking.server import connect

CONNECT = "from dwmtl.tracking.server import connect; connect()"


@pytest.fixture
def database(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "tracked" / "mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
    return path


def is_logged() -> bool:
    with start_fold_run(load_params(), 0, data_sha256="0" * 64) as run:
        return run.is_logged


def test_a_process_that_is_killed_while_it_makes_the_database_leaves_none(database):
    """The first moment that a file of it is there, and later ones."""
    for wait_s in (0.0, 0.3):
        process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", CONNECT])
        while not list(database.parent.glob("mlflow.db.making-*/mlflow.db")):
            assert process.poll() is None
            time.sleep(0.005)
        time.sleep(wait_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not database.exists()
    assert is_logged()
    assert sorted(path.name for path in database.parent.iterdir() if "lock" not in path.name) == ["mlflow.db"]


def test_a_database_that_a_copy_of_dvc_made_keeps_its_artifacts_in_the_checkout(tmp_path, monkeypatch):
    """MLflow's own experiment, too; and MLflow's functions that take no client ask the checkout's database."""
    copy = tmp_path / ".dvc/tmp/exps/tmp3x"
    copy.mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    command = [sys.executable, "-W", "ignore", "-c", f"{CONNECT}; import mlflow; print(mlflow.get_tracking_uri())"]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"sqlite:///{tmp_path}/mlflow.db"
    assert done.stderr == ""
    assert list(copy.iterdir()) == []
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as opened:
        (location,) = opened.execute("SELECT artifact_location FROM experiments").fetchone()
    assert location == (tmp_path / "mlruns/0").as_uri() or location == str(tmp_path / "mlruns/0")


def half_made(path: Path, statement: str) -> None:
    """A database as a killed process of an earlier version left it."""
    connect()
    with closing(sqlite3.connect(path)) as opened:
        opened.execute(statement)
        opened.commit()


@pytest.mark.parametrize(
    "left", ["UPDATE alembic_version SET version_num = '451aebb31d03'", "DELETE FROM alembic_version", None]
)
def test_a_database_that_was_left_half_made_is_made_anew(database, caplog, left):
    if left is None:
        database.parent.mkdir()
        with closing(sqlite3.connect(database)) as opened:
            opened.execute("CREATE TABLE experiments (experiment_id INTEGER)")
    else:
        half_made(database, left)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CONNECT], capture_output=True, text=True, check=False
    )  # MLflow keeps what this process has opened
    assert done.returncode == 0, done.stderr
    assert "was left half made and holds no run; it is made anew" in done.stderr
    assert "alembic_version" in tables(database)


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as opened:
        return {name for (name,) in opened.execute("SELECT name FROM sqlite_master")}


def test_a_database_with_a_run_is_never_made_anew(database):
    assert is_logged()
    half_made(database, "UPDATE alembic_version SET version_num = '451aebb31d03'")
    before = database.read_bytes()
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", CONNECT], capture_output=True, text=True, check=False)
    assert "out-of-date database schema" in done.stderr
    assert database.read_bytes() == before


def test_another_programs_database_is_never_made_anew(database):
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("CREATE TABLE photos (name TEXT)")
    subprocess.run([sys.executable, "-W", "ignore", "-c", CONNECT], capture_output=True, check=False)
    assert "photos" in tables(database)
