"""All folds together in MLflow, in the experiment's run: mean scores, the ends of their intervals, and the mean weights
and losses of every step."""

import hashlib
import json
from pathlib import Path

from dwmtl.params import Params
from dwmtl.tables import read_table
from dwmtl.tracking.log_scoring import log_scoring
from dwmtl.tracking.run import Run

SUMMARIZED = "dwmtl.summary_sha256"
"""The tag of an experiment's run that has all scores and the report; its value: `summary_sha256`."""


def log_summary(run: Run, params: Params, summary: dict[str, object], plots: Path) -> None:
    """Log the content of `metrics/summary.json`, and the weights and losses over the steps.

    Args:
        plots: the folder `metrics/plots`, whose tables are means over the folds.
    """
    log_scoring(run, params)
    run.set_tag("dwmtl.folds", ", ".join(map(str, summary["folds"])))
    run.log_metrics(scores(summary))
    weights, losses = (read_table(plots / f"task_{kind}.csv", ("step",)) for kind in ("weights", "losses"))
    for row in weights.merge(losses, on="step", suffixes=("_weight", "_loss")).to_dict("records"):
        run.log_row({"step": row.pop("step"), **{_column(name): float(value) for name, value in row.items()}})


def _column(name: str) -> str:
    """`identity_weight` -> `weight_identity`, as a trajectory has it."""
    task, _, kind = name.rpartition("_")
    return f"{kind}_{task}"


def scores(summary: dict[str, object]) -> dict[str, float]:
    """`<score>` -> its mean over the folds; `<score>_low`, `<score>_high` -> the ends of its interval, if any."""
    found = {}
    for name, value in summary.items():
        if isinstance(value, dict) and "mean" in value:
            found[name] = value["mean"]
            if value.get("interval"):
                found[f"{name}_low"], found[f"{name}_high"] = value["interval"]
    return found


def summary_sha256(summary: dict[str, object]) -> str:
    """Of a summary's content."""
    return hashlib.sha256(json.dumps(summary, sort_keys=True).encode()).hexdigest()
