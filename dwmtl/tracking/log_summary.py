"""All folds together in MLflow, in the experiment's run: mean scores, the ends of their intervals, and the mean weights
and losses of every step."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from dwmtl.params import Params
from dwmtl.report.summary import Summary, flat_scores
from dwmtl.tables import read_table
from dwmtl.tracking.log_scoring import log_scoring
from dwmtl.tracking.run import Run

SUMMARIZED = "dwmtl.summary_sha256"
"""The tag of an experiment's run that has all scores and the report; its value: `summary_sha256`."""


def log_summary(run: Run, params: Params, summary: Summary, plots: Path) -> None:
    """Log the scores of `metrics/details.json`, and the weights and losses over the steps.

    Args:
        plots: the folder `metrics/plots`, whose tables are means over the folds.
    """
    log_scoring(run, params)
    run.set_tag("dwmtl.folds", ", ".join(map(str, summary.folds)))
    run.log_metrics(flat_scores(summary.scores))
    weights, losses = (read_table(plots / f"task_{kind}.csv", ("step",)) for kind in ("weights", "losses"))
    for row in weights.merge(losses, on="step", suffixes=("_weight", "_loss")).to_dict("records"):
        run.log_row({"step": row.pop("step"), **{_column(name): float(value) for name, value in row.items()}})


def _column(name: str) -> str:
    """`identity_weight` -> `weight_identity`, as a trajectory has it."""
    task, _, kind = name.rpartition("_")
    return f"{kind}_{task}"


def summary_sha256(summary: Summary) -> str:
    """Of a summary's content."""
    return hashlib.sha256(json.dumps(asdict(summary), sort_keys=True).encode()).hexdigest()
