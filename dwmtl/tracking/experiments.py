"""Creates and finds the runs of an experiment: the experiment's, the folds', the pretraining's.

A run is found by its content, not by an id in a file: an experiment by the digest of its params and data, a fold by the
SHA-256 of the model that it trained. Does not know what is logged to a run.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from dwmtl.errors import TrackingError
from dwmtl.params import Params
from dwmtl.report.comparison import Experiment
from dwmtl.tracking.defaults import defaults_of
from dwmtl.tracking.machine import commit
from dwmtl.tracking.run import Run
from dwmtl.tracking.server import artifact_location, connect, first_line, has_store, server_name

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

MODEL = "dwmtl.model_sha256"
"""Tag of a run that logged a whole training; its value is the digest of the model."""

MODEL_ID = "dwmtl.model_id"
"""Tag of a run with a logged model; its value is the model's id in MLflow."""

VALIDATED = "validation_accuracy"
"""Metric of a fold, its model and its experiment: the expression accuracy of the last epoch's weights on the
validation subjects; of an experiment the mean over the folds. No test fold is in it."""

_NOT_OF_THE_EXPERIMENT = {"folds", "pairs", "evaluate", "report", "compute", "tracking"}  # no training depends on them


def start_fold_run(
    params: Params, fold: int, *, data_sha256: str, stage: str = "train", experiment: str | None = None
) -> Run:
    """Start a run for a fold's training, below the run of its experiment, which the first fold creates.

    Args:
        experiment: name of DVC's experiment; None: of the one that runs, if any.
        stage: the stage whose time is logged; empty: no time is. The same in the other functions here.
    """
    note = (
        f"{_what_a_fold_is(params, fold)}  \n"
        "`weight/...` and `loss/...`: the weights and losses of the tasks, step by step."
    )

    def start(client: Any, place: str) -> Run:
        tags = _tags("fold", data_sha256, note) | {"dwmtl.folds": str(fold)}
        tags["mlflow.parentRunId"] = _parent_id(client, place, params, data_sha256, experiment)
        return _new_run(client, place, f"fold {fold}", tags, _experiment_params(params), stage)

    return _ask(params, start) or Run()


def _what_a_fold_is(params: Params, fold: int) -> str:
    if params.labels.protocol == "official":
        return "Trained on the official training part, scored on the official test part."
    return f"Fold {fold} of {params.labels.num_folds}: trained on the subjects of the other folds, scored on its own."


def start_pretrain_run(params: Params, *, data_sha256: str, stage: str = "pretrain") -> Run:
    """Start a run for the identity-only training."""
    note = (
        "The model that the folds start from: trained on identities alone.  \n"
        "`loss/identity`: its loss, step by step. The model: `data/models/pretrain`."
    )

    def start(client: Any, place: str) -> Run:
        logged = params.model_dump(exclude=_NOT_OF_THE_EXPERIMENT | {"train"})
        return _new_run(client, place, "pretrain", _tags("pretrain", data_sha256, note), logged, stage)

    return _ask(params, start) or Run()


def resume_model_run(params: Params, model_sha256: str, *, stage: str = "evaluate") -> Run:
    """The latest run that trained a model. Without one, warns and returns a run that ignores what is logged."""
    return _resume(params, model_sha256, lambda run: run.info.run_id, stage)


def resume_experiment_run(params: Params, model_sha256: str) -> Run:
    """The run of the experiment that a fold's model belongs to. Without one, as `resume_model_run`."""
    return _resume(params, model_sha256, lambda run: run.data.tags["mlflow.parentRunId"])


def log_scoring(run: Run, params: Params) -> None:
    """Log the sections `evaluate` and `pairs` as tags, in JSON: they may change without making another experiment."""
    for section in ("evaluate", "pairs"):
        run.set_tag(f"dwmtl.{section}", json.dumps(getattr(params, section).model_dump(), sort_keys=True))


def has_model_run(params: Params, model_sha256: str) -> bool:
    """Whether the server has a run with the whole training of a model.

    Raises:
        TrackingError: the server does not answer, or tracking is off.
    """
    runs = _ask(params, lambda client, place: search(client, [place], {MODEL: model_sha256}))
    if runs is None:
        raise TrackingError(f"MLflow ({server_name()}) does not answer, or tracking.enabled is false in params.yaml.")
    return bool(runs)


def find_experiments(names: list[str]) -> list[Experiment]:
    """Find experiments by the ids or names of their runs, in any MLflow experiment; of one name the newest.

    Args:
        names: empty: all experiments, the newest first.
    Raises:
        TrackingError: the server does not answer, or has no experiment of an id or name.
    """
    client = connect_to_runs()
    try:
        runs = _experiment_runs(client)
    except Exception as error:
        raise TrackingError(f"MLflow ({server_name()}) does not answer: {first_line(error)}") from None
    if not runs:
        raise TrackingError(_no_runs())
    by_name = {key: run for run in reversed(runs) for key in (run.info.run_name, run.info.run_id)}
    if missing := [name for name in names if name not in by_name]:
        existing = ", ".join(sorted({run.info.run_name for run in runs})[:20])
        raise TrackingError(f"MLflow ({server_name()}) has no experiment {', '.join(missing)}. It has: {existing}.")
    return [experiment_of(run) for run in ([by_name[name] for name in names] if names else runs)]


def search(client: Any, places: list[str], tags: dict[str, str]) -> list[Any]:
    """The runs with these tags in the MLflow experiments of these ids; the latest first."""
    conditions = " and ".join(f"tags.\"{name}\" = '{value}'" for name, value in tags.items())
    return list(client.search_runs(places, filter_string=conditions, order_by=["attributes.start_time DESC"]))


def experiment_of(run: Any) -> Experiment:
    """An experiment from its run in MLflow."""
    info, data = run.info, run.data
    started = datetime.fromtimestamp(info.start_time / 1000, UTC)
    return Experiment(
        info.run_name,
        started,
        params=data.params,
        metrics=data.metrics,
        tags=data.tags,
        defaults=defaults_of(data.params),
    )


def connect_to_runs() -> Any:
    """A client of the server, for a command that reads runs: it creates no database.

    Raises:
        TrackingError: the server does not answer, or its SQLite file does not exist.
    """
    if not has_store():
        raise TrackingError(_no_runs())
    try:
        return connect()
    except Exception as error:
        raise TrackingError(f"MLflow ({server_name()}) does not answer: {first_line(error)}") from None


def _no_runs() -> str:
    return (
        f"MLflow ({server_name()}) has no experiments. Run `dvc repro`, which logs one, or set MLFLOW_TRACKING_URI "
        "to the server that has yours."
    )


def _experiment_runs(client: Any) -> list[Any]:
    places = [experiment.experiment_id for experiment in client.search_experiments()]
    return search(client, places, {"dwmtl.kind": "experiment"})


def _ask(params: Params, question: Callable[[Any, str], Answer]) -> Answer | None:
    """Call `question` with a client and the id of the MLflow experiment, which is created if there is none.

    Returns None where tracking is off, and where the server fails, which logs a warning.
    """
    if not params.tracking.enabled:
        return None
    try:
        client = connect()
        return question(client, _place(client, params.tracking.experiment))
    except Exception as error:
        log.warning("MLflow (%s): %s. This run is not logged.", server_name(), first_line(error))
        return None


def _place(client: Any, name: str) -> str:
    from mlflow.exceptions import MlflowException

    if existing := client.get_experiment_by_name(name):
        return existing.experiment_id
    try:
        return client.create_experiment(name, artifact_location=artifact_location(name))
    except MlflowException:  # another process created it meanwhile, or it was deleted
        if existing := client.get_experiment_by_name(name):
            return existing.experiment_id
        raise


def _resume(params: Params, model_sha256: str, run_id_of: Callable[[Any], str], stage: str = "") -> Run:
    def resume(client: Any, place: str) -> Run:
        if runs := search(client, [place], {MODEL: model_sha256}):
            return Run(client, run_id_of(runs[0]), stage=stage)
        log.warning("MLflow (%s) has no run of model %s; nothing is logged.", server_name(), model_sha256[:12])
        return Run()

    return _ask(params, resume) or Run()


def _parent_id(client: Any, place: str, params: Params, data_sha256: str, experiment: str | None) -> str:
    """Id of the run of these params and data, which is created if there is none."""
    content = json.dumps([_experiment_params(params), data_sha256], sort_keys=True)
    key = {"dwmtl.kind": "experiment", "dwmtl.experiment_sha256": hashlib.sha256(content.encode()).hexdigest()}
    if runs := search(client, [place], key):
        return _oldest(runs)
    adapter = params.sets[params.sets_of("expression")[0]].adapter
    name = experiment or os.environ.get("DVC_EXP_NAME") or f"{params.train.weighting.name} on {adapter}"
    tags = _tags("experiment", data_sha256, _experiment_note(params)) | key
    run = _new_run(client, place, name, tags, _experiment_params(params))
    oldest = _oldest(search(client, [place], key))
    if oldest != run.run_id:  # another fold's process created one at the same moment
        client.delete_run(run.run_id)
    return oldest


def _tags(kind: str, data_sha256: str, note: str) -> dict[str, str]:
    tags = {"dwmtl.kind": kind, "dwmtl.data_sha256": data_sha256, "mlflow.note.content": note}
    checked_out = commit()
    return tags | ({"mlflow.source.git.commit": checked_out.sha} if checked_out else {})


def _new_run(client: Any, place: str, name: str, tags: dict[str, str], params: dict[str, Any], stage: str = "") -> Run:
    run = Run(client, client.create_run(place, run_name=name, tags=tags).info.run_id, stage=stage)
    run.log_params(params)
    return run


def _oldest(runs: list[Any]) -> str:
    """Id of the oldest run, the same in every process."""
    return min((run.info.start_time, run.info.run_id) for run in runs)[1]


def _experiment_params(params: Params) -> dict[str, Any]:
    """The params that identify an experiment: not its folds, nor the machine, nor how the folds are scored."""
    return params.model_dump(exclude=_NOT_OF_THE_EXPERIMENT)


def _experiment_note(params: Params) -> str:
    sets = ", ".join(f"{name} ({params.sets[name].adapter})" for name in params.sets_of("expression"))
    return (
        f"`{params.train.weighting.name}` weights on {sets}, {params.train.num_epochs} epochs from "
        f"`{params.train.start}`: scores over the folds, each of which is a run below this one.  \n"
        "The report is `report/report.html` under Artifacts; `expression_accuracy_low` and `_high` are the ends of a "
        "95 % interval."
    )
