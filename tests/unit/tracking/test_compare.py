"""Experiments of MLflow by `dwmtl compare`."""

import functools
import json
from pathlib import Path

import pytest

from dwmtl.errors import ModelFileError, TrackingError
from dwmtl.inference.model import load_model
from dwmtl.params import load_params
from dwmtl.tracking.experiments import find_experiments, resume_experiment_run, start_fold_run
from dwmtl.tracking.log_report import log_summary
from dwmtl.weighting.params import weighting_params

REPOSITORY = Path(__file__).resolve().parents[3]
SCORE = {"mean": 0.7, "std": 0.1, "per_fold": [0.6, 0.8]}


@pytest.fixture
def experiments(server, plots, monkeypatch, make_summary):
    """Two, `slow` and `fast`; the first has no interval of its verification."""
    params = load_params(REPOSITORY / "params.yaml")
    for number, name in enumerate(("slow", "fast")):
        monkeypatch.setenv("DVC_EXP_NAME", name)
        with start_fold_run(params, 0, data_sha256=name) as run:
            run.set_tag("dwmtl.model_sha256", name)
        summary = make_summary(
            {
                "expression_accuracy": SCORE | {"interval": (0.5, 0.9)},
                "verification_accuracy": SCORE | {"interval": (0.6, 0.8) if number else None},
            }
        )
        with resume_experiment_run(params, name) as parent:
            log_summary(parent, params, summary, plots)
    return server


@pytest.fixture
def compare(call_dwmtl):
    """Runs `dwmtl compare` with arguments: exit code, standard output, standard error."""
    return functools.partial(call_dwmtl, "compare")


def test_experiments_stand_side_by_side_with_their_intervals(experiments, compare):
    assert compare("slow", "fast")[1].splitlines() == [
        "| experiment | weighting | folds | expression, %       | verification, %     | authentication, % |",
        "| ---------- | --------- | ----- | ------------------- | ------------------- | ----------------- |",
        "| slow       | dynamic   | 0, 1  | 70.0 (50.0 to 90.0) | 70.0                | -                 |",
        "| fast       | dynamic   | 0, 1  | 70.0 (50.0 to 90.0) | 70.0 (60.0 to 80.0) | -                 |",
        "",
        "What differs from slow:",
        "",
        "- fast: other photos, crops or labels",
    ]


def test_without_names_all_are_compared_with_the_newest(experiments, compare):
    assert compare()[1] == compare("fast", "slow")[1]


def test_json_has_the_same(experiments, compare):
    (row,) = json.loads(compare("fast", "--json")[1])
    assert (row["name"], row["folds"], row["differences"]) == ("fast", "0, 1", [])
    assert row["scores"]["expression_accuracy"] == {"mean": 0.7, "low": 0.5, "high": 0.9, "lead": 0.0}
    assert row["scores"]["authentication_accuracy"] is None


def test_settings_that_follow_from_the_rule_are_not_listed(experiments, compare, monkeypatch):
    params = load_params(REPOSITORY / "params.yaml")
    monkeypatch.setenv("DVC_EXP_NAME", "gradnorm")
    weighting = weighting_params("gradnorm", alpha=0.5)
    with start_fold_run(
        params.model_copy(update={"train": params.train.model_copy(update={"weighting": weighting})}),
        0,
        data_sha256="slow",
    ):
        pass
    assert compare("slow", "gradnorm")[1].splitlines()[-1] == (
        "- gradnorm: train.weighting.alpha 0.5 (not -); train.weighting.name gradnorm (not dynamic)"
    )


def test_an_experiment_is_named_by_its_runs_id_too(experiments):
    place = experiments.get_experiment_by_name("dwmtl").experiment_id
    runs = {run.info.run_name: run.info.run_id for run in experiments.search_runs([place])}
    assert find_experiments([runs["fast"]]) == find_experiments(["fast"])


def test_an_unknown_experiment_is_named_with_those_that_exist(experiments):
    with pytest.raises(TrackingError, match=r"has no experiment none\. It has: fast, slow\."):
        find_experiments(["slow", "none"])


def test_a_server_that_is_down_is_an_error(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(TrackingError, match=r"MLflow \(http://127.0.0.1:9\) does not answer"):
        find_experiments(["slow"])


def test_reading_creates_no_database(tmp_path, monkeypatch, compare):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    code, _, error = compare()
    assert code == 1
    assert "MLflow (sqlite:///mlflow.db) has no experiments. Run `dvc repro`" in error
    with pytest.raises(ModelFileError, match=r"models:/dwmtl/1: sqlite:///mlflow.db does not exist"):
        load_model("models:/dwmtl/1")
    assert list(tmp_path.iterdir()) == []
