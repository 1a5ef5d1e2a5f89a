import shutil
import sqlite3
import threading
import time

import pytest
from sqlalchemy import Engine, event

from dwmtl.params import Params, load_params
from dwmtl.results import flatten
from dwmtl.tracking.data_sets import DataSet
from dwmtl.tracking.digest import files_sha256
from dwmtl.tracking.experiments import (
    resume_experiment_run,
    resume_model_run,
    start_fold_run,
    start_pretrain_run,
)
from dwmtl.tracking.log_report import earlier_experiments, fold_times
from dwmtl.weighting.params import weighting_params

ROW = {"step": 0, "loss_identity": 2.0, "weight_identity": 0.4, "loss_weighting": float("nan")}


@pytest.fixture
def params() -> Params:
    return load_params()


@pytest.fixture
def server(tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    return uri


@pytest.fixture
def client(server, tmp_path, empty_database):
    from mlflow import MlflowClient

    shutil.copy(empty_database, tmp_path)
    return MlflowClient(tracking_uri=server)


def test_folds_of_the_same_params_and_data_share_a_parent(params, client):
    runs = []
    for fold in (0, 1):
        with start_fold_run(params, fold, data_sha256="d") as run:
            run.log_row(ROW)
        runs.append(client.get_run(run.run_id))
    parents = {run.data.tags["mlflow.parentRunId"] for run in runs}
    assert len(parents) == 1
    assert [run.info.run_name for run in runs] == ["fold 0", "fold 1"]
    with start_fold_run(params, 0, data_sha256="other") as run:
        pass
    assert client.get_run(run.run_id).data.tags["mlflow.parentRunId"] not in parents


def test_a_rows_numbers_are_logged_under_names_that_group(params, client):
    with start_fold_run(params, 0, data_sha256="d") as run:
        for step in range(600):  # more than one request holds
            run.log_row({**ROW, "step": step})
    logged = client.get_run(run.run_id)
    rows = {name: value for name, value in logged.data.metrics.items() if not name.startswith("time/")}
    assert rows == {"loss/identity": 2.0, "weight/identity": 0.4}
    assert [m.step for m in client.get_metric_history(run.run_id, "loss/identity")] == list(range(600))
    assert logged.data.params["train.weighting.name"] == params.train.weighting.name
    assert logged.info.status == "FINISHED"


def test_an_evaluation_lands_in_the_run_that_trained_the_model(params, client):
    with start_fold_run(params, 0, data_sha256="d") as trained:
        trained.set_tag("dwmtl.model_sha256", "abc")
    with resume_model_run(params, "abc") as run:
        run.log_metrics({"expression": {"accuracy": 0.5, "note": "text is no metric"}})
    assert run.run_id == trained.run_id
    assert client.get_run(run.run_id).data.metrics["expression/accuracy"] == 0.5
    with resume_experiment_run(params, "abc") as parent:
        parent.log_metrics({"expression/accuracy": 0.5})
    assert parent.run_id == client.get_run(trained.run_id).data.tags["mlflow.parentRunId"]


def made(params: Params, model: str, score: float | None = None, **weighting: object) -> str:
    """An experiment of one fold, in which the weighting differs; its parent's id."""
    train = params.train.model_copy(update={"weighting": weighting_params(**{"name": "dynamic", **weighting})})
    changed = params.model_copy(update={"train": train})
    with start_fold_run(changed, 0, data_sha256="d") as fold:
        fold.set_tag("dwmtl.model_sha256", model)
    with resume_experiment_run(changed, model) as parent:
        if score is not None:
            parent.log_metrics({"expression_accuracy": score})
    return parent.run_id


def test_earlier_experiments_with_results_are_found_the_newest_first(params, client):
    this = made(params, "this", 0.5, name="dynamic")
    made(params, "first", 0.6, name="equal")
    made(params, "unfinished", None, name="dwa")
    made(params, "second", 0.7, name="rlw")
    with resume_experiment_run(params, "this") as run:
        assert run.run_id == this
        earlier = run.ask(earlier_experiments)
    assert [other.name.split()[0] for other in earlier] == ["rlw", "equal"]
    assert [other.metrics["expression_accuracy"] for other in earlier] == [0.7, 0.6]
    assert earlier[0].params["train.weighting.name"] == "rlw"


def test_a_fold_has_the_time_of_each_of_its_stages(params, client):
    made(params, "abc")
    with resume_model_run(params, "abc"):
        pass
    with resume_experiment_run(params, "abc") as run:
        times = run.ask(fold_times)
    assert set(times) == {"fold 0"}
    assert set(times["fold 0"]) == {"train", "evaluate"}
    assert all(seconds >= 0 for seconds in times["fold 0"].values())


def test_a_failed_training_is_marked_failed(params, client):
    with pytest.raises(RuntimeError), start_fold_run(params, 0, data_sha256="d") as run:
        raise RuntimeError
    assert client.get_run(run.run_id).info.status == "FAILED"


def test_a_model_without_a_run_is_a_warning(params, server, caplog):
    with resume_model_run(params, "unknown") as run:
        run.log_metrics({"a": 1.0})
    assert "has no run of model unknown" in caplog.text


def test_a_password_is_never_printed(params, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
    with start_pretrain_run(params, data_sha256="d"):
        pass
    assert "127.0.0.1:9" in caplog.text
    assert "secret" not in caplog.text


def test_how_a_fold_is_scored_makes_no_other_experiment(params, client):
    parents = set()
    for flip in ("none", "sum"):
        scored = params.model_copy(update={"evaluate": params.evaluate.model_copy(update={"flip": flip})})
        with start_fold_run(scored, 0, data_sha256="d") as run:
            pass
        parents.add(client.get_run(run.run_id).data.tags["mlflow.parentRunId"])
    assert len(parents) == 1


def test_a_server_that_is_down_is_a_warning(params, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with start_pretrain_run(params, data_sha256="d") as run:
        run.log_row(ROW)
    assert "This run is not logged" in caplog.text


@pytest.fixture
def impatient():
    """MLflow waits for 20 s until another process unlocks the database; here, for a tenth of a second."""

    def shorten(connection, cursor, statement, parameters, context, executemany):
        return statement.replace("busy_timeout = 20000", "busy_timeout = 100"), parameters

    event.listen(Engine, "before_cursor_execute", shorten, retval=True)
    yield
    event.remove(Engine, "before_cursor_execute", shorten)


def test_a_database_that_is_locked_half_way_is_one_warning(impatient, params, client, tmp_path, caplog):
    with start_fold_run(params, 0, data_sha256="d") as run:
        lock = sqlite3.connect(tmp_path / "mlflow.db")
        lock.execute("BEGIN EXCLUSIVE")
        run.set_tag("a", "b")
        run.log_row(ROW)
    lock.rollback()
    lock.close()
    assert caplog.text.count("Nothing more is logged to this run") == 1


def test_tracking_can_be_turned_off(params, server, tmp_path):
    off = params.model_copy(update={"tracking": params.tracking.model_copy(update={"enabled": False})})
    with start_fold_run(off, 0, data_sha256="d") as run:
        run.log_row(ROW)
    assert not (tmp_path / "mlflow.db").exists()


def test_a_fold_says_what_it_is_trained_on(params, client):
    with start_fold_run(params, 1, data_sha256="ab" * 32) as run:
        run.log_data_sets([DataSet("expression (oulu_casia)", "ab" * 32, "training", {"num_photos": 16})])
    logged = client.get_run(run.run_id)
    (data,) = logged.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("expression (oulu_casia)", "ab" * 16)
    assert data.dataset.profile == '{"num_photos": 16}'
    assert logged.data.tags["mlflow.note.content"].startswith("Fold 1 of 5: ")


def test_every_value_of_the_params_is_logged_but_what_may_change(params, client):
    with start_fold_run(params, 0, data_sha256="d") as run:
        pass
    parent = client.get_run(client.get_run(run.run_id).data.tags["mlflow.parentRunId"])
    changing = {"folds", "pairs", "evaluate", "report", "compute", "tracking"}
    expected = flatten(params.model_dump(exclude=changing), separator=".")
    assert parent.data.params == client.get_run(run.run_id).data.params == {k: str(v) for k, v in expected.items()}


def test_an_experiment_of_mlflow_holds_no_state_of_its_pages(params, client):
    with start_pretrain_run(params, data_sha256="d"):
        pass
    assert client.get_experiment_by_name(params.tracking.experiment).tags == {}


def test_two_parents_made_at_the_same_moment_become_one(params, client):
    with start_fold_run(params, 0, data_sha256="d") as run:
        pass
    parent = client.get_run(client.get_run(run.run_id).data.tags["mlflow.parentRunId"])
    kept = {name: value for name, value in parent.data.tags.items() if name.startswith("dwmtl.")}
    client.create_run(parent.info.experiment_id, start_time=parent.info.start_time + 1, tags=kept)
    with start_fold_run(params, 1, data_sha256="d") as other:
        pass
    assert client.get_run(other.run_id).data.tags["mlflow.parentRunId"] == parent.info.run_id


def test_a_digest_of_files_is_of_their_contents(tmp_path):
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("1")
    assert files_sha256([tmp_path / "a"]) == files_sha256([tmp_path / "b"])
    (tmp_path / "b").write_text("2")
    assert files_sha256([tmp_path / "a"]) != files_sha256([tmp_path / "b"])


def test_a_run_has_system_metrics_where_mlflows_switch_is_on(params, client, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "true")
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    with start_fold_run(params, 0, data_sha256="d") as run:
        run.set_tag("dwmtl.model_sha256", "abc")
        trained = wait_for_cpu(client, run.run_id, num_points=1)
    with resume_model_run(params, "abc"):
        steps = wait_for_cpu(client, run.run_id, num_points=len(trained) + 1)
    assert steps == list(range(len(steps)))  # the second stage counts on
    logged = client.get_run(run.run_id)
    assert logged.info.status == "FINISHED"
    assert "system/system_memory_usage_megabytes" in logged.data.metrics
    assert not [thread for thread in threading.enumerate() if thread.name == "SystemMetricsMonitor"]


def wait_for_cpu(client, run_id: str, *, num_points: int) -> list[int]:
    """The steps of the load of the CPU, once there are so many."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        steps = [point.step for point in client.get_metric_history(run_id, "system/cpu_utilization_percentage")]
        if len(steps) >= num_points:
            return sorted(steps)
        time.sleep(0.1)
    pytest.fail(f"not {num_points} points after 60 s")


def test_a_run_has_no_system_metrics_without_the_switch(params, client, monkeypatch):
    monkeypatch.delenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", raising=False)
    with start_fold_run(params, 0, data_sha256="d"):
        assert not [thread for thread in threading.enumerate() if thread.name == "SystemMetricsMonitor"]
