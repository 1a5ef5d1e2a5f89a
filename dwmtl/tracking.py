"""MLflow: an experiment's run, a child run a fold. The sole owner of mlflow.

A tracking server that is down, locked or full costs a warning, never a training: the first failure turns the rest of
the run's logging off. Nothing here is read by a stage's outputs.

A run is found again by what it holds, not by an id kept in a file: an experiment by the hash of its params and data, a
fold by the SHA-256 of the model it trained.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path

from dwmtl.errors import ModelFileError, TrackingError
from dwmtl.machine import commit
from dwmtl.params import Params
from dwmtl.run_list import view_tag

log = logging.getLogger(__name__)

DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"
_STARTED = time.monotonic()
"""When the stage's process imported this module, nearly when it began: what a stage's time is counted from."""

_METRICS_PER_REQUEST = 1000  # MLflow's limit
_PARAMS_PER_REQUEST = 100  # MLflow's limit
_WAITS_S = (1, 2, 4, 8)
_MOST_WAIT_S = 60
_DIGEST_LENGTH = 32  # MLflow's limit is 36
_NOT_OF_THE_EXPERIMENT = {"folds", "pairs", "evaluate", "compute", "tracking"}  # no training depends on them
_VIEW_TAG, _VIEW = view_tag()
_EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",  # the UI then opens on training runs
    _VIEW_TAG: _VIEW,
}

for _name, _value in {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}.items():
    os.environ.setdefault(_name, _value)  # read by mlflow when it is imported, which happens in `_connect`


def _never_fatal(method: Callable) -> Callable:
    """Turn a failure of the tracking server into one warning and silence."""

    @wraps(method)
    def guarded(self, *args, **kwargs):
        if self._client is None:
            return None
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            log.warning("MLflow (%s): %s. Nothing more is logged to this run.", _server(), _first_line(error))
            self._client = None
            return None

    return guarded


@dataclass(frozen=True)
class EarlierRun:
    """Another experiment's run that has results.

    Attributes:
        name: as it is shown in MLflow.
        started: its day and time, UTC.
        params: as they were logged, keys joined with `.`, values as text.
        metrics: the latest of each.
        tags: all of them.
    """

    name: str
    started: datetime
    params: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]


class Run:
    """A run of MLflow, or, where there is no server or tracking is off, something that swallows what it is told."""

    def __init__(self, client=None, run_id: str = "", *, stage: str = ""):
        """Args:
        stage: whose time is logged when the run is finished, as `time/<stage>_s`; empty for none.
        """
        self._client = client
        self.run_id = run_id
        self._stage = stage
        self._buffer: list = []

    @property
    def is_logged(self) -> bool:
        """Whether there is a server, so far as is known."""
        return self._client is not None

    @_never_fatal
    def log_row(self, row: dict[str, float]) -> None:
        """A row of a trajectory; its `step` places the others. Buffered."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        step = int(row["step"])
        self._buffer += [
            Metric(metric_name(name), value, now, step)
            for name, value in row.items()
            if name != "step" and value == value  # not NaN
        ]
        if len(self._buffer) > _METRICS_PER_REQUEST - len(row):
            self._flush()

    @_never_fatal
    def log_metrics(self, metrics: dict[str, object]) -> None:
        """Final figures: nested dicts of numbers, joined with `/`."""
        for name, value in flatten(metrics).items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                self._client.log_metric(self.run_id, name, value)

    @_never_fatal
    def log_params(self, params: dict[str, object]) -> None:
        """Nested dicts, joined with `.`."""
        from mlflow.entities import Param

        entries = [Param(name, str(value)) for name, value in flatten(params, separator=".").items()]
        for start in range(0, len(entries), _PARAMS_PER_REQUEST):
            self._client.log_batch(self.run_id, params=entries[start : start + _PARAMS_PER_REQUEST])

    @_never_fatal
    def set_tag(self, name: str, value: str) -> None:
        """One tag."""
        self._client.set_tag(self.run_id, name, value)

    @_never_fatal
    def log_dataset(self, name: str, sha256: str, counts: dict[str, int]) -> None:
        """The data that the run is trained on: what it is called, a digest, how much of what; none of it is sent."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        data = Dataset(
            name, sha256[:_DIGEST_LENGTH], "local", json.dumps({"sha256": sha256}), profile=json.dumps(counts)
        )
        self._client.log_inputs(self.run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])

    @_never_fatal
    def log_folder(self, folder: Path, name: str) -> None:
        """Files as artifacts under `name`."""
        self._client.log_artifacts(self.run_id, str(folder), name)

    def own(self) -> EarlierRun | None:
        """This run as it is logged, to compare earlier ones with; None without a server."""
        return self._own()

    def earlier(self, metric: str, *, most: int) -> list[EarlierRun]:
        """The other experiments of the same MLflow experiment that have a metric, the newest first."""
        return self._earlier(metric, most) or []

    def fold_times(self) -> dict[str, dict[str, float]]:
        """A child run's name -> a stage -> the seconds it took, of the latest run of each name."""
        return self._fold_times() or {}

    @_never_fatal
    def _own(self) -> EarlierRun:
        return _earlier_run(self._client.get_run(self.run_id))

    @_never_fatal
    def _earlier(self, metric: str, most: int) -> list[EarlierRun]:
        own = self._client.get_run(self.run_id).info
        found = self._client.search_runs(
            [own.experiment_id],
            filter_string=f'tags."dwmtl.kind" = \'experiment\' and metrics."{metric}" >= 0',
            order_by=["attributes.start_time DESC"],
            max_results=most + 1,
        )
        return [_earlier_run(run) for run in found if run.info.run_id != self.run_id][:most]

    @_never_fatal
    def _fold_times(self) -> dict[str, dict[str, float]]:
        own = self._client.get_run(self.run_id).info
        children = _search(self._client, own.experiment_id, {"mlflow.parentRunId": self.run_id})
        times: dict[str, dict[str, float]] = {}
        for run in children:  # the latest first
            found = {name: value for name, value in run.data.metrics.items() if name.startswith("time/")}
            times.setdefault(run.info.run_name, found)
        return {
            name: {key.removeprefix("time/").removesuffix("_s"): seconds for key, seconds in times[name].items()}
            for name in sorted(times)
        }

    @_never_fatal
    def log(self, what: Callable[[object, str], None]) -> None:
        """Whatever else: `what` is called with MLflow's client and the run's id."""
        what(self._client, self.run_id)

    @_never_fatal
    def finish(self, status: str = "FINISHED") -> None:
        """Send what is buffered and set MLflow's status."""
        self._flush()
        if self._stage and status == "FINISHED":
            seconds = round(time.monotonic() - _STARTED, 1)
            self._client.log_metric(self.run_id, f"time/{self._stage}_s", seconds)
        self._client.set_terminated(self.run_id, status)

    def _flush(self) -> None:
        if self._buffer:
            self._client.log_batch(self.run_id, metrics=self._buffer)
            self._buffer = []

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, kind, error, trace) -> None:
        self.finish("FINISHED" if error is None else "FAILED")


def tracking_uri() -> str:
    """Where runs go."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING_URI


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
        found = _search(client, experiment_id, {"dwmtl.model_sha256": model_sha256})
        if not found:
            log.warning("MLflow (%s) has no run of model %s; nothing is logged.", _server(), model_sha256[:12])
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
        found.append(bool(_search(client, experiment_id, {"dwmtl.model_sha256": model_sha256})))
        return Run()

    _connected(params, look)
    if not found:
        raise TrackingError(f"MLflow ({_server()}) cannot be asked, or tracking.enabled is false in params.yaml.")
    return found[0]


def resume_experiment_run(params: Params, model_sha256: str) -> Run:
    """The run of the experiment that a fold's model belongs to."""

    def resume(client, experiment_id: str) -> Run:
        found = _search(client, experiment_id, {"dwmtl.model_sha256": model_sha256})
        return Run(client, found[0].data.tags["mlflow.parentRunId"]) if found else Run()

    return _connected(params, resume)


def find_experiments(names: list[str]) -> list[EarlierRun]:
    """Experiments' runs by their ids or names, in any MLflow experiment; of several of a name the newest.

    Raises:
        TrackingError: the server is not there, or has none of that id or name.
    """
    try:
        client = _client()
        places = [experiment.experiment_id for experiment in client.search_experiments()]
        runs = _search(client, places, {"dwmtl.kind": "experiment"})  # the newest first
    except Exception as error:
        raise TrackingError(f"MLflow ({_server()}) does not answer: {_first_line(error)}") from None
    known = {key: run for run in reversed(runs) for key in (run.info.run_name, run.info.run_id)}
    missing = [name for name in names if name not in known]
    if missing:
        there = ", ".join(sorted({run.info.run_name for run in runs})[:20]) or "none"
        raise TrackingError(f"MLflow ({_server()}) has no experiment {', '.join(missing)}. It has: {there}.")
    return [_earlier_run(known[name]) for name in names]


def download(uri: str, folder: Path) -> Path:
    """A copy of what lies in MLflow under `runs:/...` or `models:/...`, in `folder`.

    Raises:
        ModelFileError: the server is not there, or has no such thing.
    """
    import mlflow

    try:
        registry = os.environ.get("MLFLOW_REGISTRY_URI") or tracking_uri()
        places = {"tracking_uri": tracking_uri(), "registry_uri": registry}
        return Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder), **places))
    except Exception as error:
        raise ModelFileError(f"{uri}: MLflow ({_server()}) does not give it: {_first_line(error)}") from None


def metric_name(column: str) -> str:
    """A trajectory's column as a metric of MLflow, so that its charts group: `loss_identity` -> `loss/identity`."""
    kind, _, rest = column.partition("_")
    if kind in ("loss", "weight"):
        return f"{kind}/{rest}"
    if column == "center_loss":
        return "loss/center"
    if column.endswith("learning_rate"):
        return f"learning_rate/{column.removesuffix('learning_rate').rstrip('_') or 'network'}"
    if column.endswith("grad_norm"):
        return f"grad_norm/{column.removesuffix('grad_norm').rstrip('_') or 'network'}"
    return column


def flatten(values: dict[str, object], *, separator: str = "/", prefix: str = "") -> dict[str, object]:
    """Nested dicts as one, keys joined."""
    flat: dict[str, object] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, separator=separator, prefix=f"{prefix}{key}{separator}")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def files_sha256(paths: list[Path]) -> str:
    """One hash over the contents of files, in the order given."""
    whole = hashlib.sha256()
    for path in paths:
        whole.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return whole.hexdigest()


def _connected(params: Params, make: Callable[[object, str], Run]) -> Run:
    """Connect and make a run; a `Run` that swallows everything where that fails or tracking is off."""
    if not params.tracking.enabled:
        return Run()
    try:
        client = _patiently(_client)
        return make(client, _experiment_id(client, params.tracking.experiment))
    except Exception as error:
        log.warning("MLflow (%s): %s. This run is not logged.", _server(), _first_line(error))
        return Run()


def _client():
    """MLflow's client of the server; it says what is wrong and nothing else."""
    from mlflow import MlflowClient

    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=tracking_uri())


def _patiently(connect: Callable):
    """A client, one process at a time: who connects first to a database makes its tables, and two at once spoil them.

    SQLite has no way of its own to wait, so a lock beside the file does; another database's server refuses the second
    process, which then tries again.
    """
    kind, _, path = tracking_uri().partition(":///")
    if kind == "sqlite":
        from filelock import FileLock

        with FileLock(f"{path}.lock", timeout=_MOST_WAIT_S):
            return connect()
    for seconds in _WAITS_S:
        try:
            return connect()
        except Exception:
            time.sleep(seconds)
    return connect()


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
    if found := _search(client, experiment_id, wanted):
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
    first = _first(_search(client, experiment_id, wanted))
    if first != run.run_id:  # another fold's process made one at the same moment
        client.delete_run(run.run_id)
        return first
    run.log_params(_experiment_params(params))
    return run.run_id


def _first(runs: list) -> str:
    """Id of the oldest, the same for everybody who asks."""
    return min((run.info.start_time, run.info.run_id) for run in runs)[1]


def _search(client, places: str | list[str], tags: dict[str, str]) -> list:
    """Runs with these tags, the latest first."""
    conditions = " and ".join(f"tags.\"{name}\" = '{value}'" for name, value in tags.items())
    experiments = [places] if isinstance(places, str) else places
    return client.search_runs(experiments, filter_string=conditions, order_by=["attributes.start_time DESC"])


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


def _earlier_run(run) -> EarlierRun:
    return EarlierRun(
        name=run.info.run_name,
        started=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        params=dict(run.data.params),
        metrics=dict(run.data.metrics),
        tags=dict(run.data.tags),
    )


def _commit_tag() -> dict[str, str]:
    """MLflow's tag for the commit; empty outside a git checkout."""
    found = commit()
    return {"mlflow.source.git.commit": found.sha} if found else {}


def _first_line(error: Exception) -> str:
    message = (str(error) or type(error).__name__).strip().splitlines()[0][:300]
    return message.replace(tracking_uri(), _server())


def _server() -> str:
    """The tracking URI as it may be printed: without a user's name and password."""
    scheme, separator, rest = tracking_uri().partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
