"""A cell of the comparison: a weighting trained on a data set with every learning rate, and scored with the best."""

import itertools
import subprocess
from importlib.metadata import version
from pathlib import Path

from differences import tuned
from grid import REPOSITORY, read_yaml, settings_of, training_params
from scoring import score
from trainings import Outcome, read_prepared, train

from dwmtl.files import write_json
from dwmtl.params import Params, load_params
from dwmtl.stage import run

PACKAGES = ("torch", "torchjd")


def main(weighting: str, data_set: str, data: Path, features: Path, out: Path) -> None:
    """Write a record per training of the first seed, and what they came from."""
    grid, params = read_yaml(Path("grid.yaml")), load_params(data / "params.yaml")
    prepared = read_prepared(data, features, grid["data_sets"][data_set]["num_frozen_blocks"])
    records, trained = [], []
    for learning_rate, fold in itertools.product(grid["learning_rates"], grid["folds"]):
        run_of = {"learning_rate": learning_rate, "seed": grid["seed"], "fold": fold}
        changed = params_of_training(params, grid, weighting, run_of)
        outcome = train(fold, prepared, changed)
        records.append({**run_of, **course(outcome)})
        trained.append((outcome, changed))
    best = tuned(records)[0]["learning_rate"]
    for record, (outcome, changed) in zip(records, trained, strict=True):
        if record["learning_rate"] == best:
            record.update(score(outcome, prepared, changed, fold=record["fold"]))
    write_record(records, out)


def params_of_training(params: Params, grid: dict, weighting: str, run_of: dict) -> Params:
    """The params of a row's training with a learning rate and seed."""
    settings = settings_of(grid, weighting)
    return training_params(params, settings, seed=run_of["seed"], learning_rate=run_of["learning_rate"])


def course(outcome: Outcome) -> dict[str, object]:
    """The validation by epoch, and the task weights and losses by step."""
    trajectory, tasks = outcome.fitted.trajectory, outcome.network.tasks
    return {
        "validation": {name: outcome.fitted.validation[name].tolist() for name in ("accuracy", "loss")},
        "weights": {task: trajectory[f"weight_{task}"].round(4).tolist() for task in tasks},
        "losses": {task: trajectory[f"loss_{task}"].round(4).tolist() for task in tasks},
    }


def write_record(trainings: list[dict], out: Path) -> None:
    """Write the trainings with the commit and the versions that made them."""
    commit = ["git", "-C", str(REPOSITORY), "rev-parse", "--short", "HEAD"]
    write_json(
        {
            "commit": subprocess.run(commit, capture_output=True, text=True).stdout.strip(),
            "versions": {name: version(name) for name in PACKAGES},
            "trainings": trainings,
        },
        out,
    )


if __name__ == "__main__":
    run(main)
