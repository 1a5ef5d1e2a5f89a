"""A cell of the comparison: a tuned weighting on a fold of a data set, trained and scored for every seed."""

import json
import subprocess
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from grid import REPOSITORY, read_yaml, settings_of, training_params
from trainings import train

from dwmtl.evaluation.evaluate import evaluate_model
from dwmtl.evaluation.fold import VERIFICATION_SET, FoldEvaluation
from dwmtl.files import write_json
from dwmtl.params import Params, load_params
from dwmtl.stage import run
from dwmtl.training.trained import Trained

PACKAGES = ("torch", "torchjd")


def main(weighting: str, fold: int, data: Path, tuned: Path, out: Path) -> None:
    """Write a record per seed, and what they came from."""
    grid, params = read_yaml(Path("grid.yaml")), load_params(data / "params.yaml")
    best = json.loads(tuned.read_text())[0]
    chosen = {"learning_rate": best["learning_rate"], "keep": best["keep"]}
    records = []
    for seed in grid["seeds"]:
        changed = training_params(params, settings_of(grid, weighting), seed=seed, **chosen)
        trained = train(fold, data / "data", changed)
        records.append({"seed": seed, "fold": fold, **record(trained, fold, data / "data", changed)})
    commit = ["git", "-C", str(REPOSITORY), "rev-parse", "--short", "HEAD"]
    write_json(
        {
            "commit": subprocess.run(commit, capture_output=True, text=True).stdout.strip(),
            "versions": {name: version(name) for name in PACKAGES},
            "tuned": {**chosen, "validation_accuracy": best["accuracy"], "validation_loss": best["loss"]},
            "trainings": records,
        },
        out,
    )


def record(trained: Trained, fold: int, data: Path, params: Params) -> dict[str, object]:
    """Counts from which scores and their intervals follow, and the course of the task weights and losses."""
    folders = {name: data / name.removesuffix("_dir") for name in ("labels_dir", "pairs_dir", "aligned_dir")}
    evaluation = evaluate_model(trained.network, trained.card, params, fold=fold, **folders)
    trajectory = trained.fitted.trajectory
    return {
        "expression": counts(expressions_of(evaluation)),
        "verification": counts(verifications_of(evaluation)),
        "authentication_accuracy": evaluation.metrics.authentication.accuracy,
        "majority": evaluation.metrics.expression.majority,
        "weights": {task: trajectory[f"weight_{task}"].round(4).tolist() for task in trained.network.tasks},
        "losses": {task: trajectory[f"loss_{task}"].round(4).tolist() for task in trained.network.tasks},
    }


def expressions_of(evaluation: FoldEvaluation) -> pd.DataFrame:
    """A row per test photo: its subject, and whether its expression was recognised."""
    photos = evaluation.predictions
    return pd.DataFrame({"unit": photos["subject"], "is_right": photos["predicted"] == photos["expression"]})


def verifications_of(evaluation: FoldEvaluation) -> pd.DataFrame:
    """A row per pair of the verification set: its block, and whether it was told right."""
    pairs = evaluation.pairs[evaluation.pairs["set"] == VERIFICATION_SET]
    return pd.DataFrame({"unit": pairs["fold"], "is_right": pairs["is_verified"] == pairs["is_same_identity"]})


def counts(answers: pd.DataFrame) -> dict[str, list[int]]:
    """By unit of resampling (subject, block): how many answers are right, of how many."""
    of_units = answers.groupby("unit")["is_right"].agg(["sum", "size"])
    return {str(unit): [int(right), int(size)] for unit, right, size in of_units.itertuples()}


if __name__ == "__main__":
    run(main)
