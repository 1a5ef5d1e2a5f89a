"""Experiments side by side, from what MLflow has of them."""

from dwmtl.tracking.experiments import find_experiments
from dwmtl.tracking.run import EarlierRun

SCORES = {
    "expression_accuracy": "expression",
    "verification_accuracy": "verification",
    "authentication_accuracy": "authentication",
}
"""A score of the summary -> head of its column."""


def compared(names: list[str]) -> list[dict[str, object]]:
    """A row an experiment, in the order asked for: `run`, `weighting`, `folds`, and each of SCORES as `mean`, `low` and
    `high` (the ends of its 95 % interval), fractions, None where there is none.

    Args:
        names: a run's id; or its name, of which the newest run counts.
    Raises:
        TrackingError: the server is not there, or has no such experiment.
    """
    return [_row(run) for run in find_experiments(names)]


def as_markdown(rows: list[dict[str, object]]) -> str:
    """The rows of `compared` as a table."""
    lines = [["experiment", "weighting", "folds", *SCORES.values()], ["---"] * (3 + len(SCORES))]
    lines += [[row["run"], row["weighting"], row["folds"], *(_cell(row[name]) for name in SCORES)] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _row(run: EarlierRun) -> dict[str, object]:
    scores = {name: {end: run.metrics.get(f"{name}{suffix}") for end, suffix in _ENDS.items()} for name in SCORES}
    weighting = run.params.get("train.weighting.name", "?")
    return {"run": run.name, "weighting": weighting, "folds": run.tags.get("dwmtl.folds", "?"), **scores}


_ENDS = {"mean": "", "low": "_low", "high": "_high"}


def _cell(score: dict[str, float | None]) -> str:
    """`70.8 % (58.5 to 81.0)`."""
    if score["mean"] is None:
        return "-"
    mean = f"{100 * score['mean']:.1f} %"
    if score["low"] is None or score["high"] is None:
        return mean
    return f"{mean} ({100 * score['low']:.1f} to {100 * score['high']:.1f})"
