"""What a server missed, sent again from the outputs of the stages: a run that is not there, or not whole.

A run is found by the SHA-256 of the model it trained, so nothing is sent twice. Runs are made anew with today's time
and commit, and tagged `dwmtl.resent`.
"""

from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from dwmtl.errors import TrackingError
from dwmtl.network.model_file import model_sha256
from dwmtl.params import Params, load_params
from dwmtl.report.summary import Summary
from dwmtl.results import read_result
from dwmtl.tables import read_table
from dwmtl.tracking.experiments import (
    has_model_run,
    resume_experiment_run,
    resume_model_run,
    start_fold_run,
    start_pretrain_run,
)
from dwmtl.tracking.log_evaluation import EVALUATED, evaluation_sha256, log_evaluation
from dwmtl.tracking.log_summary import SUMMARIZED, log_summary, summary_sha256
from dwmtl.tracking.log_training import fold_data_sha256, log_training, pretrain_data_sha256
from dwmtl.tracking.run import Run


def resend(root: Path) -> list[str]:
    """Send what the server of MLFLOW_TRACKING_URI lacks of a checkout's outputs.

    Args:
        root: the folder with `params.yaml`, `data/` and `metrics/`.
    Returns:
        What was sent, in words; empty where the server has everything.
    Raises:
        TrackingError: the server is not there or fails half way, or `params.yaml` was changed since the training.
        ModelFileError, TableError: there is no training to send, or a file of one is missing.
    """
    params = load_params(root / "params.yaml")
    parts = [_Part("pretrain", root / "data/models/pretrain", root / "metrics/training/pretrain", None)]
    parts += [
        _Part(f"fold {k}", root / f"data/models/fold_{k}", root / f"metrics/training/fold_{k}", k)
        for k in sorted(params.folds)
    ]
    sent = []
    for part in parts:
        if part.fold is None and not part.metrics.is_dir():
            continue  # trained from an imported model
        _refuse_other_params(root, "pretrain" if part.fold is None else f"train@{part.fold}")
        sent += _training(params, root, part)
        if part.fold is not None:
            sent += _evaluation(params, part, root / f"metrics/evaluation/fold_{part.fold}")
    return sent + _summary(params, parts[-1], root / "metrics")


@dataclass(frozen=True)
class _Part:
    """A training's outputs; `fold` is None for the pretraining."""

    name: str
    model: Path
    metrics: Path
    fold: int | None


def _training(params: Params, root: Path, part: _Part) -> list[str]:
    """Its trajectory, files and facts in a run of its own, where the server has none of this model."""
    if has_model_run(params, model_sha256(part.model)):
        return []
    folders = {"labels": root / "data/labels", "aligned": root / "data/aligned"}
    if part.fold is None:
        folders["aligned"] /= "identity"
        data_sha256, roles = pretrain_data_sha256(params, **folders), ["identity"]
        run = start_pretrain_run(params, data_sha256=data_sha256, stage="")
    else:
        data_sha256, roles = fold_data_sha256(params, **folders), params.train.sets
        run = start_fold_run(params, part.fold, data_sha256=data_sha256, stage="")
    with run:
        run.set_tag("dwmtl.resent", "true")
        for row in read_table(part.metrics / "trajectory.csv", ("step",)).to_dict("records"):
            run.log_row({name: float(value) for name, value in row.items() if value != ""})
        log_training(run, params, roles, data_sha256=data_sha256, model=part.model, metrics=part.metrics)
    _require_sent(run, part.name)
    return [f"{part.name}: training"]


def _evaluation(params: Params, part: _Part, out: Path) -> list[str]:
    if not (out / "metrics.json").exists():
        return []
    run = resume_model_run(params, model_sha256(part.model), stage="")
    own = run.own()
    if own and own.tags.get(EVALUATED) == evaluation_sha256(out):
        return []
    with run:
        log_evaluation(run, params, fold=part.fold, model=part.model, out=out)
    _require_sent(run, part.name)
    return [f"{part.name}: evaluation, model"]


def _summary(params: Params, part: _Part, metrics: Path) -> list[str]:
    """The scores over all folds and the report's page, where they are of the folds of the params."""
    path = metrics / "details.json"
    if not path.exists() or (summary := read_result(Summary, path)).folds != sorted(params.folds):
        return []
    run = resume_experiment_run(params, model_sha256(part.model))
    own = run.own()
    if own and own.tags.get(SUMMARIZED) == summary_sha256(summary):
        return []
    with run:
        log_summary(run, params, summary, metrics / "plots")
        run.log_folder(metrics / "report", "report")
        run.set_tag(SUMMARIZED, summary_sha256(summary))
    _require_sent(run, "report")
    return ["scores over the folds, report"]


def _require_sent(run: Run, name: str) -> None:
    if not run.is_logged:
        raise TrackingError(f"{name}: not all of it was sent; the warning above says why. Send it again later.")


def _refuse_other_params(root: Path, stage: str) -> None:
    """By `dvc.lock`, where there is one and it knows the stage."""
    lock = root / "dvc.lock"
    if not lock.exists():
        return
    read = YAML(typ="safe").load
    ran = read(lock)["stages"].get(stage, {}).get("params", {}).get("params.yaml", {})
    now = read(root / "params.yaml")
    changed = [name for name, value in ran.items() if _value(now, name) != value]
    if changed:
        raise TrackingError(
            f"{root / 'params.yaml'}: {', '.join(changed)} changed since stage {stage} ran. Send before a change, or "
            "take the old values back."
        )


def _value(values: dict, dotted: str) -> object:
    for key in dotted.split("."):
        values = values.get(key, {})
    return values
