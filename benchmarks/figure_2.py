"""The paper's Figure 2 from trainings of ours: task weights above, task losses below, for both forms of the unit.

    make figure-2

Trains fold 0 of what `make repro` prepared twice, with and without `normalize_logits`, and draws both.
"""

import json
from pathlib import Path

import pandas as pd

from dwmtl.params import Params, load_params
from dwmtl.report.figures import trajectories_svg
from dwmtl.stage import run
from dwmtl.tables import EXPRESSION_LABELS, IDENTITY_LABELS, read_table, write_table
from dwmtl.training.compute import launch
from dwmtl.training.train import train_fold

VARIANTS = {"normalised logits (the published figure)": True, "logits as they are (the published code)": False}


def main(
    labels: Path, aligned: Path, start: Path, out: Path, num_epochs: int = 8, params: Path = Path("params.yaml")
) -> None:
    """Train both variants and draw the figure; the trajectories lie beside it."""
    values = load_params(params)
    trajectories = {}
    for name, normalize in VARIANTS.items():
        changed = variant(values, normalize_logits=normalize, num_epochs=num_epochs)
        trajectories[name] = train(changed, labels, aligned, start)
        write_table(trajectories[name], out.with_name(f"{out.stem}_{'normalised' if normalize else 'unbounded'}.csv"))
    out.write_text(trajectories_svg(trajectories))


def variant(params: Params, *, normalize_logits: bool, num_epochs: int) -> Params:
    """The params with the dynamic unit in one of its forms."""
    weighting = params.train.weighting
    dynamic = weighting.dynamic.model_copy(update={"normalize_logits": normalize_logits})
    weighting = weighting.model_copy(update={"name": "dynamic", "dynamic": dynamic})
    train = params.train.model_copy(update={"weighting": weighting, "num_epochs": num_epochs})
    return params.model_copy(update={"train": train})


def train(params: Params, labels: Path, aligned: Path, start: Path) -> pd.DataFrame:
    """The trajectory of a training of fold 0."""
    return train_fold(
        read_table(labels / "expression.csv", EXPRESSION_LABELS, others_are_text=True),
        json.loads((labels / "classes.json").read_text())["expressions"],
        params,
        fold=0,
        identity_labels=read_table(labels / "identity.csv", IDENTITY_LABELS),
        aligned_dir=aligned,
        start_dir=start,
        fabric=launch(params.compute, precision=params.train.precision),
    ).fitted.trajectory


if __name__ == "__main__":
    run(main)
