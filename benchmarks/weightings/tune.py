"""Tunes a weighting on a data set: the learning rate and `keep` that serve the validation subjects best."""

import itertools
from pathlib import Path

from grid import read_yaml, settings_of, training_params
from trainings import train

from dwmtl.files import write_json
from dwmtl.params import load_params
from dwmtl.stage import run


def main(weighting: str, data: Path, out: Path) -> None:
    """Train with each combination; write all of them, the best first.

    A combination is better if more photos of the validation subjects are recognised after the last epoch, or as many
    with a lower loss.
    """
    grid, params = read_yaml(Path("grid.yaml")), load_params(data / "params.yaml")
    tuning = grid["tuning"]
    tried = []
    for learning_rate, keep in itertools.product(tuning["learning_rates"], tuning["keeps"]):
        chosen = {"learning_rate": learning_rate, "keep": keep}
        changed = training_params(params, settings_of(grid, weighting), seed=tuning["seed"], **chosen)
        by_epoch = train(tuning["fold"], data / "data", changed).fitted.validation
        last = by_epoch.iloc[-1]
        curves = {name: by_epoch[name].tolist() for name in ("accuracy", "loss")}
        tried.append({**chosen, "accuracy": last["accuracy"], "loss": last["loss"], "by_epoch": curves})
    write_json(sorted(tried, key=lambda row: (-row["accuracy"], row["loss"])), out)


if __name__ == "__main__":
    run(main)
