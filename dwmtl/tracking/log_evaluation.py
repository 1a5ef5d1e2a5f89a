"""Logs a fold's evaluation to MLflow: its scores, its files, and its model with the threshold."""

from pathlib import Path
from typing import Any

from dwmtl.network.model_file import THRESHOLD_FILE
from dwmtl.params import Params
from dwmtl.results import read_result
from dwmtl.scores.headlines import COMPARED, HEADLINES
from dwmtl.tables import BEST_DIR
from dwmtl.tracking.experiments import files_sha256, log_scoring
from dwmtl.tracking.log_model import log_model
from dwmtl.tracking.run import Run

EVALUATED = "dwmtl.evaluation_sha256"
"""Tag of a run with a whole evaluation; its value is `evaluation_sha256`."""


def log_evaluation(run: Run, params: Params, *, fold: int, model: Path, out: Path) -> None:
    """Log the stage's output `out` and the model's folder."""
    log_scoring(run, params)
    metrics, best = _scores(out), out / BEST_DIR
    headlines = {headline.key: headline.of(metrics) for headline in HEADLINES}
    run.log_metrics(metrics | headlines | ({BEST_DIR: _scores(best)} if (best / "metrics.json").exists() else {}))
    run.log_folder(out, "evaluation")
    log_model(
        run,
        model,
        out / THRESHOLD_FILE,
        weights=params.evaluate.weights,
        register_as=params.tracking.register_as,
        tags={
            "fold": str(fold),
            "weighting": params.train.weighting.name,
            **{headline.key: f"{headlines[headline.key]:.4f}" for headline in COMPARED},
        },
    )
    run.set_tag(EVALUATED, evaluation_sha256(out))


def _scores(out: Path) -> dict[str, Any]:
    """The content of a `metrics.json`, by section.

    Raises:
        TableError: the file is missing or damaged.
    """
    return read_result(dict[str, dict[str, Any]], out / "metrics.json")


def evaluation_sha256(out: Path) -> str:
    """Digest of the scores and the thresholds."""
    return files_sha256([out / "metrics.json", out / THRESHOLD_FILE])
