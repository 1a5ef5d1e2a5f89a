"""One run: rows, metrics, files, and what it knows of its neighbours. Logging is buffered and never fatal."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path

from dwmtl.tracking.names import flatten, metric_name
from dwmtl.tracking.server import first_line, server_name

log = logging.getLogger(__name__)

_STARTED = time.monotonic()
"""When the stage's process imported this module, nearly when it began: what a stage's time is counted from."""

_METRICS_PER_REQUEST = 1000  # MLflow's limit
_PARAMS_PER_REQUEST = 100  # MLflow's limit
_DIGEST_LENGTH = 32  # MLflow's limit is 36


def _never_fatal(method: Callable) -> Callable:
    """Turn a failure of the tracking server into one warning and silence."""

    @wraps(method)
    def guarded(self, *args, **kwargs):
        if self._client is None:
            return None
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            log.warning("MLflow (%s): %s. Nothing more is logged to this run.", server_name(), first_line(error))
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
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        entries = [
            Metric(name, value, now, 0)
            for name, value in flatten(metrics).items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        ]
        for start in range(0, len(entries), _METRICS_PER_REQUEST):
            self._client.log_batch(self.run_id, metrics=entries[start : start + _METRICS_PER_REQUEST])

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
        return earlier_run(self._client.get_run(self.run_id))

    @_never_fatal
    def _earlier(self, metric: str, most: int) -> list[EarlierRun]:
        own = self._client.get_run(self.run_id).info
        found = self._client.search_runs(
            [own.experiment_id],
            filter_string=f'tags."dwmtl.kind" = \'experiment\' and metrics."{metric}" >= 0',
            order_by=["attributes.start_time DESC"],
            max_results=most + 1,
        )
        return [earlier_run(run) for run in found if run.info.run_id != self.run_id][:most]

    @_never_fatal
    def _fold_times(self) -> dict[str, dict[str, float]]:
        own = self._client.get_run(self.run_id).info
        children = search(self._client, own.experiment_id, {"mlflow.parentRunId": self.run_id})
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


def search(client, places: str | list[str], tags: dict[str, str]) -> list:
    """Runs with these tags, the latest first."""
    conditions = " and ".join(f"tags.\"{name}\" = '{value}'" for name, value in tags.items())
    experiments = [places] if isinstance(places, str) else places
    return client.search_runs(experiments, filter_string=conditions, order_by=["attributes.start_time DESC"])


def earlier_run(run) -> EarlierRun:
    return EarlierRun(
        name=run.info.run_name,
        started=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        params=dict(run.data.params),
        metrics=dict(run.data.metrics),
        tags=dict(run.data.tags),
    )
