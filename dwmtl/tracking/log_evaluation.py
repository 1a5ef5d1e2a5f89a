"""Logs a fold's evaluation to MLflow: its scores, its files, and its model with the threshold.

The scores are logged as metrics of the run and of the logged model, by which MLflow ranks models.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dwmtl.network.model_file import THRESHOLD_FILE
from dwmtl.params import Params
from dwmtl.results import read_result
from dwmtl.scores.headlines import COMPARED, HEADLINES
from dwmtl.tables import BEST_DIR
from dwmtl.tracking.data_sets import DataSet
from dwmtl.tracking.digest import files_sha256
from dwmtl.tracking.experiments import VALIDATED, log_scoring
from dwmtl.tracking.log_mistakes import log_mistakes
from dwmtl.tracking.log_model import log_model
from dwmtl.tracking.run import Run

EVALUATED = "dwmtl.evaluation_sha256"
"""Tag of a run with a whole evaluation; its value is `evaluation_sha256`."""


_COMPARED = [headline.key for headline in COMPARED]


def log_evaluation(run: Run, params: Params, *, fold: int, model: Path, out: Path, data: Mapping[str, DataSet]) -> None:
    """Log the stage's output `out` and the model's folder.

    Args:
        data: from `evaluation_data_sets`.
    """
    log_scoring(run, params)
    metrics, best = _scores(out), out / BEST_DIR
    headlines = {headline.key: headline.of(metrics) for headline in HEADLINES}
    model_id = log_model(
        run,
        model,
        out / THRESHOLD_FILE,
        weights=params.evaluate.weights,
        register_as=params.tracking.register_as,
        tags={
            "fold": str(fold),
            "weighting": params.train.weighting.name,
            **{key: f"{headlines[key]:.4f}" for key in _COMPARED if headlines[key] is not None},
        },
    )
    _log_scores(run, metrics, data, model_id)
    if (best / "metrics.json").exists():
        run.log_metrics({BEST_DIR: _scores(best)})
    log_mistakes(run, out)
    run.log_folder(out, "evaluation")
    run.set_tag(EVALUATED, evaluation_sha256(out))


def _log_scores(run: Run, metrics: Mapping[str, Any], data: Mapping[str, DataSet], model_id: str | None) -> None:
    """Log the scores, each with the data set that it is of, and that of the last epoch on the validation subjects."""
    counts: dict[DataSet, dict[str, int]] = {each: {} for each in data.values()}
    for section, scores in metrics.items():
        headlines = {each.key: each.of(metrics) for each in HEADLINES if each.section == section}
        run.log_metrics({section: scores, **headlines}, model_id=model_id, data_set=data.get(section))
        if section in data:
            counts[data[section]] |= {name: scores[name] for name in ("num_photos", "num_pairs") if name in scores}
    run.log_data_sets(replace(each, counts=count) for each, count in counts.items())
    validated = run.ask(lambda client, run_id: client.get_run(run_id).data.metrics.get("validation/accuracy"))
    run.log_metrics({VALIDATED: validated}, model_id=model_id, data_set=data.get("validation"))


def _scores(out: Path) -> dict[str, Any]:
    """The content of a `metrics.json`, by section.

    Raises:
        TableError: the file is missing or damaged.
    """
    return read_result(dict[str, dict[str, Any]], out / "metrics.json")


def evaluation_sha256(out: Path) -> str:
    """Digest of the scores and the thresholds."""
    return files_sha256([out / "metrics.json", out / THRESHOLD_FILE])
