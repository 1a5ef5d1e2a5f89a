"""Models of several experiments, ranked by MLflow's own search."""

import json

import pytest

from dwmtl.results import write_result
from dwmtl.tracking.resend import resend

ACCURACIES = {"slow": (0.5, 0.8), "fast": (0.6, 0.75)}
"""Expression accuracy of folds 0 and 1, by experiment."""


@pytest.fixture
def models(checkout, server, monkeypatch, make_summary):
    """Searches the logged models of two experiments by a metric, the highest first: (experiment, fold), ..."""
    for name, accuracies in ACCURACIES.items():
        monkeypatch.setenv("DVC_EXP_NAME", name)
        (checkout / "data/labels/expression.csv").write_text(name)
        for fold, accuracy in enumerate(accuracies):
            for file in ("model.safetensors", "model.json"):
                (checkout / f"data/models/fold_{fold}" / file).write_text(f"{name} {fold}")
            path = checkout / f"metrics/evaluation/fold_{fold}/metrics.json"
            metrics = json.loads(path.read_text())
            path.write_text(json.dumps(metrics | {"expression": {**metrics["expression"], "accuracy": accuracy}}))
        score = {"mean": sum(accuracies) / 2, "std": 0.1, "per_fold": list(accuracies)}
        write_result(make_summary({"expression_accuracy": score}), checkout / "metrics/details.json")
        resend(checkout)
    place = server.get_experiment_by_name("dwmtl").experiment_id

    def name_of(model) -> tuple[str, str]:
        run = server.get_run(model.source_run_id)
        return server.get_run(run.data.tags["mlflow.parentRunId"]).info.run_name, run.info.run_name

    def search(metric: str, **more):
        found = server.search_logged_models(
            [place], order_by=[{"field_name": f"metrics.{metric}", "ascending": False, **more}]
        )
        return [name_of(model) for model in found]

    return search


def test_search_logged_models_ranks_folds_by_a_score_and_experiments_by_its_mean(models):
    by_fold = [("slow", "fold 1"), ("fast", "fold 1"), ("fast", "fold 0"), ("slow", "fold 0")]
    assert models("expression_accuracy") == by_fold
    assert models("expression_accuracy", dataset_name="expression (oulu_casia), test subjects") == by_fold
    assert [name for name, _ in models("experiment/expression_accuracy")] == ["fast", "fast", "slow", "slow"]
