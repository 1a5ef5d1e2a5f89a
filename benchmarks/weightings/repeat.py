"""A row of the comparison repeated with the other seeds, at the learning rate that was best with the first."""

import json
from itertools import product
from pathlib import Path

from cell import course, params_of_training, write_record
from differences import tuned
from grid import read_yaml
from scoring import score
from trainings import read_prepared, train

from dwmtl.params import load_params
from dwmtl.stage import run


def main(weighting: str, data_set: str, data: Path, features: Path, first: Path, out: Path) -> None:
    """Write a record per training.

    Args:
        first: the row's record of the first seed.
    """
    grid, params = read_yaml(Path("grid.yaml")), load_params(data / "params.yaml")
    prepared = read_prepared(data, features, grid["data_sets"][data_set]["num_frozen_blocks"])
    learning_rate = tuned(json.loads(first.read_text())["trainings"])[0]["learning_rate"]
    records = []
    for seed, fold in product(grid["repeated"]["seeds"], grid["folds"]):
        run_of = {"learning_rate": learning_rate, "seed": seed, "fold": fold}
        changed = params_of_training(params, grid, weighting, run_of)
        outcome = train(fold, prepared, changed)
        records.append({**run_of, **course(outcome), **score(outcome, prepared, changed, fold=fold)})
    write_record(records, out)


if __name__ == "__main__":
    run(main)
