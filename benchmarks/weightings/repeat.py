"""A row of the comparison repeated with the other seeds, at the learning rate that was best with the first."""

import json
from itertools import product
from pathlib import Path

from cell import params_of_training, trained_and_scored, write_record
from differences import tuned
from grid import read_yaml
from trainings import read_prepared

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
        records.append(trained_and_scored(prepared, params_of_training(params, grid, weighting, run_of), run_of))
    write_record(records, out)


if __name__ == "__main__":
    run(main)
