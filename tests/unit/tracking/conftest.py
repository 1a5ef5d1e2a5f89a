"""An MLflow of the test's own."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from dwmtl.files import write_json
from dwmtl.report.summary import ComparedWithStart, PooledExpressions, Score, Summary
from dwmtl.report.verification_sets import VerificationSets
from dwmtl.results import write_result
from dwmtl.tables import EVALUATED_PAIRS, write_table

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory) -> Path:
    """An SQLite file with MLflow's tables, which take seconds to make; a store starts as a copy."""
    from mlflow import MlflowClient

    path: Path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM experiments")  # each store makes the default one anew, with its own folder
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory, empty_database):
    """MLflow's client of an empty SQLite store with its artifacts beside it; MLFLOW_TRACKING_URI names it."""
    from mlflow import MlflowClient

    folder: Path = tmp_path_factory.mktemp("mlflow")
    shutil.copy(empty_database, folder)
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.create_experiment("dwmtl", artifact_location=(folder / "artifacts").as_uri())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        patch.delenv("DVC_EXP_NAME", raising=False)
        yield client


@pytest.fixture
def server(tmp_path, monkeypatch, empty_database):
    """MLflow's client of an empty store of the one test."""
    from mlflow import MlflowClient

    shutil.copy(empty_database, tmp_path)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    monkeypatch.chdir(tmp_path)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


STEPS = 5
EPOCHS = [0, 0, 0, 1, 1]
VALIDATION = {"epoch": [0, 1], "accuracy": [0.5, 0.55], "loss": [1.5, 1.4]}
ACCURACY = {"mean": 0.7, "std": 0.1, "per_fold": [0.6, 0.8], "interval": [0.5, 0.9]}
SCORES = {
    "expression_accuracy": ACCURACY,
    "verification_accuracy": ACCURACY | {"interval": None},
    "authentication_accuracy": ACCURACY,
}
METRICS = {
    "expression": {"num_photos": 8, "accuracy": 0.6, "balanced_accuracy": 0.5, "macro_f1": 0.5},
    "verification": {"num_pairs": 30, "accuracy_mean": 0.7, "auc": 0.8, "eer": 0.2},
    "expression_pairs": {"accuracy_mean": 0.7, "auc": 0.8},
    "authentication": {"accuracy": 0.8, "far": 0.1, "frr": 0.3, "product": 0.6},
}


@pytest.fixture
def plots(tmp_path) -> Path:
    """The folder `metrics/plots` of a few steps."""
    write_plots(tmp_path / "plots")
    return tmp_path / "plots"


@pytest.fixture
def make_summary() -> Callable[..., Summary]:
    return summary_of


@pytest.fixture
def checkout(tmp_path) -> Path:
    """What two folds and their pretraining left in a checkout; the weights are a few bytes."""
    root = tmp_path / "checkout"
    root.mkdir()
    shutil.copy(REPOSITORY / "params.yaml", root)
    for name in ("labels/expression.csv", "labels/identity.csv", "labels/classes.json"):
        _write(root / "data" / name, name)
    for role in ("expression", "identity", "verification"):
        _write(root / f"data/aligned/{role}/{role}/crops.csv", role)
    for name in ("fold_0", "fold_1", "verification"):
        _write(root / f"data/pairs/{name}.csv", name)
    for name in ("pretrain", "fold_0", "fold_1"):
        _write(root / f"data/models/{name}/model.safetensors", f"weights of {name}")
        _write(root / f"data/models/{name}/model.json", name)
        write_json({"num_photos": 16, "num_subjects": 4}, root / f"metrics/training/{name}/training.json")
        rows = {"step": range(STEPS), "epoch": EPOCHS, "loss_identity": 0.5, "weight_identity": 0.4}
        write_table(pd.DataFrame(rows | {"loss_weighting": None}), root / f"metrics/training/{name}/trajectory.csv")
        validation = VALIDATION if name.startswith("fold") else {key: [] for key in VALIDATION}
        write_table(pd.DataFrame(validation), root / f"metrics/training/{name}/validation.csv")
    for name in ("fold_0", "fold_1"):
        write_json(METRICS, root / f"metrics/evaluation/{name}/metrics.json")
        write_json({}, root / f"metrics/evaluation/{name}/threshold.json")
        write_mistakes(root / f"metrics/evaluation/{name}")
    write_result(summary_of(SCORES), root / "metrics/details.json")
    write_plots(root / "metrics/plots")
    _write(root / "metrics/report/report.html", "<p>report")
    _write(root / "metrics/report/model_card.md", "# Model card\n")
    no_further = VerificationSets(main_set="verification", sets={}, mean=None)
    write_result(no_further, root / "metrics/report/verification.json")
    return root


def summary_of(scores: dict[str, dict[str, object]]) -> Summary:
    """Of two folds with these scores."""
    pooled = {
        "accuracy": 0.7,
        "balanced_accuracy": 0.7,
        "macro_f1": 0.7,
        "num_photos": 2,
        "classes": [],
        "confusion": [],
    }
    return Summary(
        folds=[0, 1],
        scores={key: Score(**score) for key, score in scores.items()},
        expression_pooled=PooledExpressions(**pooled),
        expression_per_class={},
        best_on_validation=None,
        start=ComparedWithStart(
            verification_accuracy=0.8,
            verification_accuracy_interval=None,
            verification_gain=Score(mean=-0.1, std=0.0, per_fold=[-0.1, -0.1], interval=(-0.2, 0.0)),
        ),
        chance={},
    )


def write_mistakes(folder: Path) -> None:
    """Tables of an evaluation: two of three pairs and two of three photos are wrong."""
    pairs = dict.fromkeys(EVALUATED_PAIRS) | {
        "set": "expression",
        "input": ["near.jpg", "far.jpg", "right.jpg"],
        "reference": "reference.jpg",
        "is_same_identity": [True, False, True],
        "distance": [1.1, 0.2, 0.5],
        "threshold": 1.0,
        "is_verified": [False, True, True],
    }
    write_table(pd.DataFrame(pairs), folder / "pairs.csv")
    predictions = {
        "photo": ["unsure.jpg", "sure.jpg", "right.jpg"],
        "subject": "P001",
        "expression": "fear",
        "predicted": ["surprise", "surprise", "fear"],
        "confidence": [0.4, 0.9, 0.8],
    }
    write_table(pd.DataFrame(predictions), folder / "predictions.csv")


def write_plots(folder: Path) -> None:
    """Means over the folds of weights and losses, step by step."""
    for name, value in (("task_weights", 0.4), ("task_losses", 1.5)):
        write_table(
            pd.DataFrame({"step": range(STEPS), "identity": value, "expression": value}), folder / f"{name}.csv"
        )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
