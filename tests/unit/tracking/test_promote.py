"""`dwmtl promote`: the alias `champion` follows the best experiment by validation."""

import functools
from pathlib import Path

import pytest

from dwmtl.params import Params, load_params
from dwmtl.tracking.experiments import start_fold_run

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def params() -> Params:
    return load_params(REPOSITORY / "params.yaml")


@pytest.fixture
def train(server, monkeypatch, params):
    """Logs an experiment of the folds with these validation accuracies, and registers their models."""

    def train(name: str, accuracies: dict[int, float | None], *, test: float = 0.5, place: str = "dwmtl") -> None:
        monkeypatch.setenv("DVC_EXP_NAME", name)
        tracking = params.tracking.model_copy(update={"experiment": place})
        for fold, accuracy in accuracies.items():
            with start_fold_run(params.model_copy(update={"tracking": tracking}), fold, data_sha256=name) as run:
                run.log_metrics({"validation_accuracy": accuracy, "expression_accuracy": test})
            if not server.search_registered_models():
                server.create_registered_model("dwmtl")
            server.create_model_version("dwmtl", server.get_run(run.run_id).info.artifact_uri, run_id=run.run_id)

    return train


@pytest.fixture
def promote(call_dwmtl):
    """Runs `dwmtl promote` with arguments: exit code, standard output, standard error."""
    return functools.partial(call_dwmtl, "promote")


def aliases(server) -> dict[str, int]:
    return {alias: int(version) for alias, version in server.get_registered_model("dwmtl").aliases.items()}


def test_the_champion_is_the_best_fold_of_the_best_experiment_by_validation(server, train, promote):
    train("slow", {0: 0.5, 1: 0.9}, test=0.99)  # the best fold and the best test scores, but not the best mean
    train("fast", {0: 0.8, 1: 0.75}, test=0.1)
    assert promote()[1].splitlines() == [
        "| experiment | folds | mean accuracy on validation subjects | by fold |",
        "| --- | --- | --- | --- |",
        "| fast | 0, 1 | 77.5 % | 80.0 %, 75.0 % |",
        "| slow | 0, 1 | 70.0 % | 50.0 %, 90.0 % |",
        "dwmtl@champion is version 3: fold 0 of fast, the best on its validation subjects; it was none",
    ]
    assert aliases(server) == {"champion": 3}
    train("fast", {0: 0.1})  # trained again: its newest model counts
    assert (
        promote()[1]
        .splitlines()[-1]
        .endswith("version 2: fold 1 of slow, the best on its validation subjects; it was version 3")
    )
    assert "dwmtl@champion stays version 2" in promote()[1]


def test_a_dry_run_moves_nothing_and_a_name_narrows_the_choice(server, train, promote):
    train("slow", {0: 0.5})
    train("fast", {0: 0.8})
    assert "dwmtl@champion would become version 2: fold 0 of fast" in promote("--dry-run")[1]
    assert aliases(server) == {}
    assert "dwmtl@champion is version 1: fold 0 of slow" in promote("slow")[1]
    assert aliases(server) == {"champion": 1}
    assert promote("--alias", "candidate")[0] == 0
    assert aliases(server) == {"champion": 1, "candidate": 2}


def test_models_without_validation_subjects_are_not_chosen(server, train, promote):
    train("unvalidated", {0: None}, test=0.9)
    code, _, told = promote()
    assert code == 1
    assert "has no version of dwmtl with an accuracy on validation subjects" in told
    train("validated", {0: 0.2})
    assert "dwmtl@champion is version 2" in promote()[1]


def test_experiments_on_other_data_are_not_ranked_together(server, train, promote):
    train("on_yale", {0: 0.9}, place="yale")
    train("on_oulu", {0: 0.5})
    code, _, told = promote()
    assert code == 1
    assert "several MLflow experiments, which do not rank together: dwmtl, yale" in told
    assert "dwmtl@champion is version 2: fold 0 of on_oulu" in promote("--experiment", "dwmtl")[1]
    assert "There are versions of: dwmtl, yale" in promote("--experiment", "ck")[2]


def test_what_is_not_there_is_named_and_nothing_is_created(server, train, promote, monkeypatch, tmp_path):
    assert "has no version of mine" in promote("--name", "mine")[2]
    train("slow", {0: 0.5})
    assert "has no version of an experiment other. It has versions of: slow" in promote("other")[2]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/none.db")
    assert "has no experiments. Run `dvc repro`" in promote()[2]
    assert not (tmp_path / "none.db").exists()
