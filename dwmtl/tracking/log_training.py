"""Logs a training to MLflow: its data, its files, and the model's digest, by which later stages find the run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dwmtl.network.model_file import model_sha256
from dwmtl.params import Params
from dwmtl.results import read_result
from dwmtl.tracking.experiments import MODEL, files_sha256
from dwmtl.tracking.run import Run


def fold_data_sha256(params: Params, *, labels: Path, aligned: Path) -> str:
    """One digest of all tables that a fold's training reads."""
    crops = [aligned / role / name / "crops.csv" for role in params.train.sets for name in params.sets_of(role)]
    identities = [labels / "identity.csv"] if "identity" in params.train.sets else []
    return files_sha256([labels / "expression.csv", labels / "classes.json", *identities, *crops])


def pretrain_data_sha256(params: Params, *, labels: Path, aligned: Path) -> str:
    """One digest of all tables that the pretraining reads; `aligned` is the folder of the identity sets."""
    crops = [aligned / name / "crops.csv" for name in params.sets_of("identity")]
    return files_sha256([labels / "identity.csv", *crops])


def log_training(
    run: Run, params: Params, roles: Sequence[str], *, data_sha256: str, model: Path, metrics: Path
) -> None:
    """Log the outputs of a training.

    Args:
        roles: roles of the sets that were trained on.
        model, metrics: the folders that the stage wrote.
    """
    facts = read_result(dict[str, Any], metrics / "training.json")
    counts = {name: value for name, value in facts.items() if name.startswith("num_") and isinstance(value, int)}
    sets = {name: params.sets[name].adapter for role in roles for name in params.sets_of(role)}
    run.log_dataset(", ".join(f"{name} ({adapter})" for name, adapter in sets.items()), data_sha256, counts)
    run.log_metrics({"training": counts})
    run.log_folder(metrics, "training")
    run.set_tag(MODEL, model_sha256(model))
