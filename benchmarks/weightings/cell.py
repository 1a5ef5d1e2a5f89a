"""A cell of the comparison: a weighting trained on a data set with every learning rate, seed and fold, and scored."""

import itertools
import subprocess
from importlib.metadata import version
from pathlib import Path

from grid import REPOSITORY, read_yaml, settings_of, training_params
from scoring import score
from trainings import Outcome, Prepared, read_prepared, train

from dwmtl.files import write_json
from dwmtl.params import Params, load_params
from dwmtl.stage import run

PACKAGES = ("torch", "torchjd")


def main(weighting: str, data_set: str, data: Path, features: Path, out: Path) -> None:
    """Write a record per training, and what they came from."""
    grid, params = read_yaml(Path("grid.yaml")), load_params(data / "params.yaml")
    prepared = read_prepared(data, features, grid["data_sets"][data_set]["num_frozen_blocks"])
    records = []
    for learning_rate, seed, fold in itertools.product(grid["learning_rates"], grid["seeds"], grid["folds"]):
        changed = training_params(params, settings_of(grid, weighting), seed=seed, learning_rate=learning_rate)
        outcome = train(fold, prepared, changed)
        of_run = {"learning_rate": learning_rate, "seed": seed, "fold": fold}
        records.append({**of_run, **record(outcome, prepared, changed, fold)})
    commit = ["git", "-C", str(REPOSITORY), "rev-parse", "--short", "HEAD"]
    write_json(
        {
            "commit": subprocess.run(commit, capture_output=True, text=True).stdout.strip(),
            "versions": {name: version(name) for name in PACKAGES},
            "trainings": records,
        },
        out,
    )


def record(outcome: Outcome, prepared: Prepared, params: Params, fold: int) -> dict[str, object]:
    """The scores, and the course of the task weights and losses."""
    trajectory, tasks = outcome.fitted.trajectory, outcome.network.tasks
    return {
        **score(outcome, prepared, params, fold=fold),
        "validation": {name: outcome.fitted.validation[name].tolist() for name in ("accuracy", "loss")},  # by epoch
        "weights": {task: trajectory[f"weight_{task}"].round(4).tolist() for task in tasks},
        "losses": {task: trajectory[f"loss_{task}"].round(4).tolist() for task in tasks},
    }


if __name__ == "__main__":
    run(main)
