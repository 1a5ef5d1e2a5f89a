"""Logs a training to MLflow: its data, its files, and the model's digest, by which later stages find the run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dwmtl.network.model_file import model_sha256
from dwmtl.results import read_result
from dwmtl.tables import read_table
from dwmtl.tracking.data_sets import DataSet
from dwmtl.tracking.experiments import MODEL
from dwmtl.tracking.run import Run
from dwmtl.training.validation import VALIDATION


def log_training(run: Run, data: Sequence[DataSet], *, model: Path, metrics: Path) -> None:
    """Log the outputs of a training.

    Args:
        data: first what was trained on.
        model, metrics: the folders that the stage wrote.
    """
    facts = read_result(dict[str, Any], metrics / "training.json")
    counts = {name: value for name, value in facts.items() if name.startswith("num_") and isinstance(value, int)}
    run.log_data_sets([replace(data[0], counts=counts), *data[1:]])
    run.log_metrics({"training": counts})
    _log_validation(run, metrics)
    run.log_folder(metrics, "training")
    run.set_tag(MODEL, model_sha256(model))


def _log_validation(run: Run, metrics: Path) -> None:
    """Log each epoch's scores on the validation subjects at its last step, so that they lie on the losses' axis."""
    last_step = read_table(metrics / "trajectory.csv", ("step", "epoch")).groupby("epoch")["step"].max()
    for row in read_table(metrics / "validation.csv", VALIDATION).to_dict("records"):
        scores = {f"validation/{name}": row[name] for name in ("accuracy", "loss")}
        run.log_row({"step": int(last_step[row["epoch"]]), **scores})
