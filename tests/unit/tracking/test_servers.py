"""Servers that are shared: two processes on one SQLite file, and PostgreSQL."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

STEPS = 300
TRAINING = f"""
import sys
from dwmtl.params import load_params
from dwmtl.tracking.experiments import start_fold_run
with start_fold_run(load_params(sys.argv[2]), int(sys.argv[1]), data_sha256="d") as run:
    for step in range({STEPS}):
        run.log_row({{"step": step, "loss_identity": 1.0, "loss_expression": 2.0, "weight_identity": 0.5}})
assert run.is_logged
"""
REPOSITORY = Path(__file__).resolve().parents[3]


def train_at_once(python: Path, uri: str, folds: list[int], folder: Path) -> None:
    """A process a fold, all started together, each logging a training."""
    environment = os.environ | {"MLFLOW_TRACKING_URI": uri}
    command = [python, "-c", TRAINING]
    processes = [
        subprocess.Popen(
            [*command, str(fold), str(REPOSITORY / "params.yaml")],
            env=environment,
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        for fold in folds
    ]
    told = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(folds), "\n".join(told)


def assert_all_is_there(uri: str, folds: list[int]) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    (place,) = [found.experiment_id for found in client.search_experiments() if found.name == "dwmtl"]
    runs = {run.info.run_name: run for run in client.search_runs([place])}
    assert sorted(runs) == ["dynamic on oulu_casia", *(f"fold {fold}" for fold in folds)]
    for fold in folds:
        run = runs[f"fold {fold}"]
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == runs["dynamic on oulu_casia"].info.run_id
        points = client.get_metric_history(run.info.run_id, "loss/expression")
        assert [point.step for point in points] == [*range(STEPS)]


@pytest.mark.slow
def test_two_trainings_that_start_together_share_an_empty_sqlite_file(python, tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    train_at_once(python.programs / "python", uri, [0, 1], tmp_path)
    assert_all_is_there(uri, [0, 1])


@pytest.fixture
def postgresql():
    """The URI of an empty database on a server of the test's own, which listens on a socket in its folder alone."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not places:
        pytest.skip("no /usr/lib/postgresql/*/bin/initdb: Debian's package postgresql is not installed")
    tools = places[-1].parent
    folder = Path(tempfile.mkdtemp(prefix="dwmtl-pg-"))  # no one but us may enter the folders above tmp_path
    as_user = []
    if os.geteuid() == 0:  # PostgreSQL refuses root
        shutil.chown(folder, "postgres")
        runuser = shutil.which("runuser", path=f"{os.environ['PATH']}:/usr/sbin")
        as_user = [runuser, "-u", "postgres", "--"]
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder}
    subprocess.run([*as_user, tools / "initdb", "-D", folder / "data", "-A", "trust", "-U", "mlflow"], **quiet)
    control = [*as_user, tools / "pg_ctl", "-D", folder / "data", "-w"]
    listen = f"-c listen_addresses= -c unix_socket_directories={folder}"
    subprocess.run([*control, "-o", listen, "-l", folder / "log", "start"], **quiet)
    try:
        yield f"postgresql+psycopg2://mlflow@/postgres?host={folder}"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
        shutil.rmtree(folder)


@pytest.mark.slow
def test_two_trainings_share_postgresql(python, postgresql, tmp_path):
    train_at_once(python.programs / "python", postgresql, [0, 1], tmp_path)
    assert_all_is_there(postgresql, [0, 1])
