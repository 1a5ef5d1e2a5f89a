import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dwmtl.cli import main
from dwmtl.errors import TrackingError
from dwmtl.params import load_params
from dwmtl.tracking.comparison import as_markdown, compared
from dwmtl.tracking.experiments import resume_experiment_run, start_fold_run
from dwmtl.tracking.log_summary import log_summary

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def experiments(server, summary, plots, monkeypatch):
    """Two, `slow` and `fast`; the first has no interval of its verification."""
    params = load_params(REPOSITORY / "params.yaml")
    for number, name in enumerate(("slow", "fast")):
        monkeypatch.setenv("DVC_EXP_NAME", name)
        with start_fold_run(params, 0, data_sha256=name) as run:
            run.set_tag("dwmtl.model_sha256", name)
        scores = {
            "expression_accuracy": summary.scores["expression_accuracy"],
            "verification_accuracy": replace(
                summary.scores["verification_accuracy"], interval=(0.6, 0.8) if number else None
            ),
        }
        with resume_experiment_run(params, name) as parent:
            log_summary(parent, params, replace(summary, scores=scores), plots)
    return server


def test_experiments_stand_side_by_side_with_their_intervals(experiments):
    assert as_markdown(compared(["slow", "fast"])).splitlines() == [
        "| experiment | weighting | folds | expression | verification | authentication |",
        "| --- | --- | --- | --- | --- | --- |",
        "| slow | dynamic | 0, 1 | 70.0 % (50.0 to 90.0) | 70.0 % | - |",
        "| fast | dynamic | 0, 1 | 70.0 % (50.0 to 90.0) | 70.0 % (60.0 to 80.0) | - |",
    ]


def test_an_experiment_is_named_by_its_run_too(experiments):
    place = experiments.get_experiment_by_name("dwmtl").experiment_id
    runs = {run.info.run_name: run.info.run_id for run in experiments.search_runs([place])}
    assert compared([runs["fast"]]) == compared(["fast"])


def test_an_unknown_experiment_is_told_with_those_that_are_there(experiments):
    with pytest.raises(TrackingError, match=r"has no experiment none\. It has: fast, slow\."):
        compared(["slow", "none"])


def test_a_server_that_is_down_is_told(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(TrackingError, match=r"MLflow \(http://127.0.0.1:9\) does not answer"):
        compared(["slow"])


def test_the_command_prints_json_where_asked_for(experiments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["dwmtl", "compare", "fast", "--json"])
    with pytest.raises(SystemExit):
        main()
    (row,) = json.loads(capsys.readouterr().out)
    assert row["run"] == "fast"
    assert row["expression_accuracy"] == {"mean": 0.7, "low": 0.5, "high": 0.9}
