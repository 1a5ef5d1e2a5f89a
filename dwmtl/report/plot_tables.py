"""The tables that `dvc plots` draws: task weights, losses and ROC as means over the folds, pooled confusion."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dwmtl.report.figures import mean_roc
from dwmtl.report.fold_results import FoldResult
from dwmtl.tables import write_table

SETS = ("expression", "verification")


def write_plot_tables(folds: Sequence[FoldResult], folder: Path) -> None:
    """Write `task_weights.csv`, `task_losses.csv`, `roc.csv` and `confusion.csv`."""
    for kind, name in (("weight", "task_weights"), ("loss", "task_losses")):
        write_table(_mean_trajectory(folds, kind), folder / f"{name}.csv")
    grid = np.linspace(0, 1, 201)
    roc = pd.DataFrame({"far": grid.round(6)})
    for name in SETS:
        curves = roc_curves(folds, name)  # empty where no test subject is known, and so is the column
        roc[f"tar_{name}"] = mean_roc(curves, grid).round(6) if len(curves[0][0]) else np.nan
    write_table(roc, folder / "roc.csv")
    pooled = pd.concat([fold.predictions for fold in folds])
    write_table(pooled[["expression", "predicted"]].rename(columns={"expression": "actual"}), folder / "confusion.csv")


def roc_curves(folds: Sequence[FoldResult], set_name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each fold's (far, tar) on a set's pairs."""
    of_set = (fold.roc[fold.roc["set"] == set_name] for fold in folds)
    return [(roc["far"].to_numpy(), roc["tar"].to_numpy()) for roc in of_set]


def _mean_trajectory(folds: Sequence[FoldResult], kind: str) -> pd.DataFrame:
    """A column per task, over the steps that all folds have."""
    num_steps = min(len(fold.trajectory) for fold in folds)
    tasks = [c.removeprefix("weight_") for c in folds[0].trajectory if c.startswith("weight_")]
    table = pd.DataFrame({"step": np.arange(num_steps)})
    for task in tasks:
        values = [fold.trajectory[f"{kind}_{task}"].to_numpy()[:num_steps] for fold in folds]
        table[task] = np.mean(values, axis=0).round(6)
    return table
