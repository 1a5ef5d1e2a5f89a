"""The runs of an experiment, made and found again: its own, a fold's, the pretraining's.

A run is found by what it holds, not by an id kept in a file: an experiment by the hash of its params and data, a fold
by the SHA-256 of the model it trained.
"""

import hashlib
import json
import logging
import os
from collections.abc import Callable

from dwmtl.errors import TrackingError
from dwmtl.params import Params
from dwmtl.tracking.machine import commit
from dwmtl.tracking.run import EarlierRun, Run, earlier_run, search
from dwmtl.tracking.run_list import view_tag
from dwmtl.tracking.server import client_of_server, first_line, patiently, server_name

log = logging.getLogger(__name__)

_NOT_OF_THE_EXPERIMENT = {"folds", "pairs", "evaluate", "compute", "tracking"}  # no training depends on them
_VIEW_TAG, _VIEW = view_tag()
_EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",  # the UI then opens on training runs
    _VIEW_TAG: _VIEW,
}


def start_fold_run(params: Params, fold: int, *, data_sha256: str, stage: str = "train") -> Run:
    """A new child run for a fold's training, under the run of its experiment (made if it is the first fold).

    Args:
        stage: whose time is logged; empty: none is. As in all of these functions.
    """

    def start(client, experiment_id: str) -> Run:
        parent = _experiment_run(client, experiment_id, params, data_sha256)
        tags = {
            "mlflow.parentRunId": parent,
            "dwmtl.kind": "fold",
            "dwmtl.fold": str(fold),
            "dwmtl.folds": str(fold),
            "dwmtl.weighting": params.train.weighting.name,
            "dwmtl.data_sha256": data_sha256,
            "mlflow.note.content": _fold_note(params, fold),
            **_commit_tag(),
        }
        made = client.create_run(experiment_id, run_name=f"fold {fold}", tags=tags)
        run = Run(client, made.info.run_id, stage=stage)
        run.log_params(_experiment_params(params))
        return run

    return _connected(params, start)


def start_pretrain_run(params: Params, *, data_sha256: str, stage: str = "pretrain") -> Run:
    """A new run for the identity-only training."""

    def start(client, experiment_id: str) -> Run:
        tags = {
            "dwmtl.kind": "pretrain",
            "dwmtl.data_sha256": data_sha256,
            "mlflow.note.content": "The model that the folds start from: trained on identities alone.  \n"
            "`loss/identity` is its loss, step by step; its model is in `data/models/pretrain`.",
            **_commit_tag(),
        }
        made = client.create_run(experiment_id, run_name="pretrain", tags=tags)
        run = Run(client, made.info.run_id, stage=stage)
        run.log_params(_pretrain_params(params))
        return run

    return _connected(params, start)


def resume_model_run(params: Params, model_sha256: str, *, stage: str = "evaluate") -> Run:
    """The latest run that trained a model; swallows everything, with a warning, where the server knows none."""

    def resume(client, experiment_id: str) -> Run:
        found = search(client, experiment_id, {"dwmtl.model_sha256": model_sha256})
        if not found:
            log.warning("MLflow (%s) has no run of model %s; nothing is logged.", server_name(), model_sha256[:12])
            return Run()
        return Run(client, found[0].info.run_id, stage=stage)

    return _connected(params, resume)


def has_model_run(params: Params, model_sha256: str) -> bool:
    """Whether the server has a run that trained a model, and all of that training.

    Raises:
        TrackingError: the server is not there, or tracking is off.
    """
    found: list[bool] = []

    def look(client, experiment_id: str) -> Run:
        found.append(bool(search(client, experiment_id, {"dwmtl.model_sha256": model_sha256})))
        return Run()

    _connected(params, look)
    if not found:
        raise TrackingError(f"MLflow ({server_name()}) cannot be asked, or tracking.enabled is false in params.yaml.")
    return found[0]


def resume_experiment_run(params: Params, model_sha256: str) -> Run:
    """The run of the experiment that a fold's model belongs to."""

    def resume(client, experiment_id: str) -> Run:
        found = search(client, experiment_id, {"dwmtl.model_sha256": model_sha256})
        return Run(client, found[0].data.tags["mlflow.parentRunId"]) if found else Run()

    return _connected(params, resume)


def find_experiments(names: list[str]) -> list[EarlierRun]:
    """Experiments' runs by their ids or names, in any MLflow experiment; of several of a name the newest.

    Raises:
        TrackingError: the server is not there, or has none of that id or name.
    """
    try:
        client = client_of_server()
        places = [experiment.experiment_id for experiment in client.search_experiments()]
        runs = search(client, places, {"dwmtl.kind": "experiment"})  # the newest first
    except Exception as error:
        raise TrackingError(f"MLflow ({server_name()}) does not answer: {first_line(error)}") from None
    known = {key: run for run in reversed(runs) for key in (run.info.run_name, run.info.run_id)}
    missing = [name for name in names if name not in known]
    if missing:
        there = ", ".join(sorted({run.info.run_name for run in runs})[:20]) or "none"
        raise TrackingError(f"MLflow ({server_name()}) has no experiment {', '.join(missing)}. It has: {there}.")
    return [earlier_run(known[name]) for name in names]


def _connected(params: Params, make: Callable[[object, str], Run]) -> Run:
    """Connect and make a run; a `Run` that swallows everything where that fails or tracking is off."""
    if not params.tracking.enabled:
        return Run()
    try:
        client = patiently(client_of_server)
        return make(client, _experiment_id(client, params.tracking.experiment))
    except Exception as error:
        log.warning("MLflow (%s): %s. This run is not logged.", server_name(), first_line(error))
        return Run()


def _experiment_id(client, name: str) -> str:
    """Of the MLflow experiment, made if there is none, with the present list of runs as its view."""
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return client.create_experiment(name, tags=_EXPERIMENT_TAGS)
        except MlflowException:  # another process made it meanwhile; or it was deleted, and the next line fails
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
    if experiment.tags.get(_VIEW_TAG) != _VIEW:
        client.set_experiment_tag(experiment.experiment_id, _VIEW_TAG, _VIEW)
    return experiment.experiment_id


def _experiment_run(client, experiment_id: str, params: Params, data_sha256: str) -> str:
    """Id of the parent run of these params on these data, made if there is none."""
    content = json.dumps([_experiment_params(params), data_sha256], sort_keys=True)
    key = hashlib.sha256(content.encode()).hexdigest()
    wanted = {"dwmtl.kind": "experiment", "dwmtl.experiment_sha256": key}
    if found := search(client, experiment_id, wanted):
        return _first(found)
    name = (
        os.environ.get("DVC_EXP_NAME")
        or f"{params.train.weighting.name} on {params.sets[params.sets_of('expression')[0]].adapter}"
    )
    tags = {
        "dwmtl.kind": "experiment",
        "dwmtl.experiment_sha256": key,
        "dwmtl.weighting": params.train.weighting.name,
        "dwmtl.data_sha256": data_sha256,
        "mlflow.note.content": _experiment_note(params),
        **_commit_tag(),
    }
    run = Run(client, client.create_run(experiment_id, run_name=name, tags=tags).info.run_id)
    first = _first(search(client, experiment_id, wanted))
    if first != run.run_id:  # another fold's process made one at the same moment
        client.delete_run(run.run_id)
        return first
    run.log_params(_experiment_params(params))
    return run.run_id


def _first(runs: list) -> str:
    """Id of the oldest, the same for everybody who asks."""
    return min((run.info.start_time, run.info.run_id) for run in runs)[1]


def _experiment_params(params: Params) -> dict[str, object]:
    """What makes an experiment what it is: not which of its folds are run, nor on what, nor how they are scored."""
    return params.model_dump(exclude=_NOT_OF_THE_EXPERIMENT)


def _pretrain_params(params: Params) -> dict[str, object]:
    return params.model_dump(exclude=_NOT_OF_THE_EXPERIMENT | {"train"})


def _experiment_note(params: Params) -> str:
    """Two lines for the page of an experiment's run."""
    sets = ", ".join(f"{name} ({params.sets[name].adapter})" for name in params.sets_of("expression"))
    return (
        f"`{params.train.weighting.name}` weights on {sets}, {params.train.num_epochs} epochs from "
        f"`{params.train.start}`: scores over the folds, each of which is a run below this one.  \n"
        "The report is `report/report.html` under Artifacts; `expression_accuracy_low` and `_high` are the ends of a "
        "95 % interval."
    )


def _fold_note(params: Params, fold: int) -> str:
    """Two lines for the page of a fold's run."""
    return (
        f"Fold {fold} of {params.labels.num_folds}: trained on the other folds' people, scored on its own.  \n"
        "`weight/...` and `loss/...` say step by step how the tasks were weighted and why."
    )


def _commit_tag() -> dict[str, str]:
    """MLflow's tag for the commit; empty outside a git checkout."""
    found = commit()
    return {"mlflow.source.git.commit": found.sha} if found else {}
