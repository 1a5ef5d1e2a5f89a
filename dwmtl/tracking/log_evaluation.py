"""A fold's scores in MLflow, its files, and its model, which now has a threshold."""

import json
from pathlib import Path

from dwmtl.network.model_file import THRESHOLD_FILE
from dwmtl.params import Params
from dwmtl.scores.headlines import COMPARED, HEADLINES
from dwmtl.tables import BEST_DIR
from dwmtl.tracking.log_model import log_model
from dwmtl.tracking.log_scoring import log_scoring
from dwmtl.tracking.names import files_sha256
from dwmtl.tracking.run import Run

EVALUATED = "dwmtl.evaluation_sha256"
"""The tag of a run that has a whole evaluation."""


def log_evaluation(run: Run, params: Params, *, fold: int, model: Path, out: Path) -> None:
    """Log what the stage wrote into `out` of a model's folder."""
    log_scoring(run, params)
    metrics = json.loads((out / "metrics.json").read_text())
    best = out / BEST_DIR / "metrics.json"
    headlines = {headline.key: headline.of(metrics) for headline in HEADLINES}
    run.log_metrics(metrics | headlines | ({BEST_DIR: json.loads(best.read_text())} if best.exists() else {}))
    run.log_folder(out, "evaluation")
    tags = {"fold": str(fold), "weighting": params.train.weighting.name}
    tags |= {key: f"{headlines[key]:.4f}" for key in (headline.key for headline in COMPARED)}
    log_model(
        run,
        model,
        out / THRESHOLD_FILE,
        weights=params.evaluate.weights,
        register_as=params.tracking.register_as,
        tags=tags,
    )
    run.set_tag(EVALUATED, evaluation_sha256(out))


def evaluation_sha256(out: Path) -> str:
    """Of the scores and the threshold: whether an evaluation is the one that a run's tag EVALUATED tells of."""
    return files_sha256([out / "metrics.json", out / THRESHOLD_FILE])
