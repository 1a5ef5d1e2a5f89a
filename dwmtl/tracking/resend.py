"""Sends what a server missed from the outputs of the stages: missing runs, and what is missing of existing runs.

A run is found by the SHA-256 of the model that it trained, so nothing is sent twice. New runs have the time and commit
of the resending, and the tag `dwmtl.resent`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dwmtl.errors import ParamsError, TrackingError
from dwmtl.network.model_file import model_sha256
from dwmtl.params import Params, load_params, read_text
from dwmtl.report.summary import Summary
from dwmtl.results import read_result
from dwmtl.tables import read_table
from dwmtl.tracking.data_sets import (
    evaluation_data_sets,
    fold_data_sets,
    fold_data_sha256,
    pretrain_data_sets,
    pretrain_data_sha256,
)
from dwmtl.tracking.experiments import (
    has_model_run,
    resume_experiment_run,
    resume_model_run,
    start_fold_run,
    start_pretrain_run,
)
from dwmtl.tracking.log_evaluation import EVALUATED, evaluation_sha256, log_evaluation
from dwmtl.tracking.log_report import REPORTED, log_pages, log_summary, summary_sha256
from dwmtl.tracking.log_training import log_training
from dwmtl.tracking.machine import experiment_name
from dwmtl.tracking.run import Run
from dwmtl.yaml_text import parse_yaml


def resend(root: Path) -> list[str]:
    """Send the outputs of a checkout that the server of MLFLOW_TRACKING_URI lacks.

    Args:
        root: the folder with `params.yaml`, `data/` and `metrics/`.
    Returns:
        What was sent, as text; empty where the server has everything.
    Raises:
        TrackingError: the server does not answer or fails halfway, or `params.yaml` changed since the training.
            Also: `dvc.lock` is damaged.
        ModelFileError, TableError: there is no training to send, or one of its files is missing or damaged.
    """
    params = load_params(root / "params.yaml")
    ran_with = _ran_with(root / "dvc.lock")
    sent = []
    for name, fold in {"pretrain": None, **{f"fold_{fold}": fold for fold in sorted(params.folds)}}.items():
        if fold is None and (params.train.start_is_imported or not (root / "metrics/training/pretrain").is_dir()):
            continue  # trained from an imported model
        stage = "pretrain" if fold is None else f"train@{fold}"
        _refuse_other_params(root / "params.yaml", stage, ran_with.get(stage, {}))
        sent += _training(params, root, name, fold)
        if fold is not None:
            sent += _evaluation(params, root, fold)
    return sent + _report(params, root)


def _training(params: Params, root: Path, name: str, fold: int | None) -> list[str]:
    """Send a training to a new run, where the server has none of the model."""
    model, metrics = root / "data/models" / name, root / "metrics/training" / name
    if has_model_run(params, model_sha256(model)):
        return []
    labels, aligned = root / "data/labels", root / "data/aligned"
    if fold is None:
        data = pretrain_data_sets(params, labels=labels, aligned=aligned / "identity")
        data_sha256 = pretrain_data_sha256(params, labels=labels, aligned=aligned / "identity")
        run = start_pretrain_run(params, data_sha256=data_sha256, stage="")
    else:
        data = fold_data_sets(params, fold, labels=labels, aligned=aligned)
        data_sha256 = fold_data_sha256(params, labels=labels, aligned=aligned)
        run = start_fold_run(params, fold, data_sha256=data_sha256, stage="", experiment=experiment_name(root))
    with run:
        run.set_tag("dwmtl.resent", "true")
        for row in read_table(metrics / "trajectory.csv", ("step",)).to_dict("records"):
            run.log_row({column: float(value) for column, value in row.items() if value != ""})
        log_training(run, data, model=model, metrics=metrics)
    return _sent(run, f"{name.replace('_', ' ')}: training")


def _evaluation(params: Params, root: Path, fold: int) -> list[str]:
    model, out = root / f"data/models/fold_{fold}", root / f"metrics/evaluation/fold_{fold}"
    if not (out / "metrics.json").exists():
        return []
    run = resume_model_run(params, model_sha256(model), stage="")
    if _has_tag(run, EVALUATED, evaluation_sha256(out)):
        return []
    folders = {"labels": root / "data/labels", "pairs": root / "data/pairs", "aligned": root / "data/aligned"}
    data = evaluation_data_sets(params, fold, **folders)
    with run:
        log_evaluation(run, params, fold=fold, model=model, out=out, data=data)
    return _sent(run, f"fold {fold}: evaluation, model")


def _report(params: Params, root: Path) -> list[str]:
    """Send the scores over all folds and the report's pages, where they are of the folds of the params."""
    details = root / "metrics/details.json"
    if not details.exists() or (summary := read_result(Summary, details)).folds != sorted(params.folds):
        return []
    run = resume_experiment_run(params, model_sha256(root / f"data/models/fold_{summary.folds[0]}"))
    if _has_tag(run, REPORTED, summary_sha256(summary)):
        return []
    with run:
        log_summary(run, params, summary, root / "metrics/plots")
        log_pages(run, summary, root / "metrics/report")
    return _sent(run, "scores over the folds, report")


def _has_tag(run: Run, name: str, value: str) -> bool:
    return run.ask(lambda client, run_id: client.get_run(run_id).data.tags.get(name)) == value


def _sent(run: Run, what: str) -> list[str]:
    if not run.is_logged:
        raise TrackingError(f"{what}: not all of it was sent; the warning above says why. Send it again later.")
    return [what]


def _refuse_other_params(path: Path, stage: str, then: Mapping[str, Any]) -> None:
    """Compare `params.yaml` with the params that a stage ran with, by dotted key."""
    now = parse_yaml(read_text(path), path)
    changed = [name for name, value in then.items() if _value(now, name) != value]
    if changed:
        raise TrackingError(
            f"{path}: {', '.join(changed)} changed since stage {stage} ran. Send before a change, or restore the old "
            "values."
        )


def _ran_with(lock: Path) -> dict[str, dict[str, Any]]:
    """The params that each stage in `dvc.lock` ran with, by dotted key; empty where there is no such file.

    Raises:
        TrackingError: the file is damaged.
    """
    if not lock.exists():
        return {}
    try:
        stages = parse_yaml(lock.read_text(encoding="utf-8"), lock)["stages"]
        return {
            stage: {str(key): value for key, value in ran.get("params", {}).get("params.yaml", {}).items()}
            for stage, ran in stages.items()
        }
    except (ParamsError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
        raise TrackingError(
            f"{lock}: damaged, as by a merge or a kill. Restore it with `git restore dvc.lock`, or delete it and run "
            "`dvc repro`, which writes it again."
        ) from None


def _value(values: Any, dotted: str) -> Any:
    """The value of a dotted key; None where there is no such key."""
    for key in dotted.split("."):
        values = values.get(key) if isinstance(values, Mapping) else None
    return values
