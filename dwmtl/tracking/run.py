"""One run of MLflow: logging to it is buffered and never fatal. Knows no outputs of stages and no other runs."""

import hashlib
import json
import logging
import re
import time
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

from dwmtl.results import flatten
from dwmtl.tracking.data_sets import DataSet
from dwmtl.tracking.server import first_line, server_name
from dwmtl.tracking.system_metrics import start_monitor

log = logging.getLogger(__name__)

_STARTED = time.monotonic()
"""Time of this module's import, shortly after the stage's process started: a stage's time is measured from here."""

_METRICS_PER_REQUEST = 1000  # MLflow's limit
_PARAMS_PER_REQUEST = 100  # MLflow's limit
_MOST_OF_A_NAME = 250  # MLflow's limit, of a metric's or a param's name

_NOT_IN_A_NAME = re.compile(r"[^\w.\- ]|^\.\.|^\.?$")
"""What MLflow refuses in a part of a name between slashes: a character, or that it would lead elsewhere as a path.
It takes the colon on some systems only."""


def _never_fatal(method: Callable) -> Callable:
    """Turn a failure of the tracking server into one warning, after which the run logs nothing."""

    @wraps(method)
    def guarded(self: "Run", *args: Any, **kwargs: Any) -> Any:
        if self._client is None:
            return None
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            log.warning("MLflow (%s): %s. Nothing more is logged to this run.", server_name(), first_line(error))
            self._client = None
            return None

    return guarded


class Run:
    """A run of MLflow. Without a client (no server, or tracking is off) it ignores what is logged."""

    def __init__(self, client: Any = None, run_id: str = "", *, stage: str = ""):
        """Args:
        stage: the stage whose time is logged when the run finishes, as `time/<stage>_s`, and whose system metrics
            are logged where MLflow's switch is on; empty: neither is.
        """
        self._client = client
        self.run_id = run_id
        self._stage = stage
        self._buffer: list[Any] = []
        self._monitor: Any = None

    @property
    def is_logged(self) -> bool:
        """Whether the run logs: there is a server, and it has not failed so far."""
        return self._client is not None

    @_never_fatal
    def log_row(self, row: dict[str, float]) -> None:
        """Log a row of a trajectory at its `step`. Buffered.

        The epoch comes last: MLflow's page that compares runs opens on the metric that they logged first.
        """
        numbers = {name: value for name, value in row.items() if name != "step" and value == value}  # without NaN
        values = {metric_name(name): numbers[name] for name in sorted(numbers, key="epoch".__eq__)}
        self._buffer += _metrics(values, step=int(row["step"]))
        if len(self._buffer) > _METRICS_PER_REQUEST - len(row):
            self._flush()

    @_never_fatal
    def log_metrics(
        self, metrics: dict[str, Any], *, model_id: str | None = None, data_set: DataSet | None = None
    ) -> None:
        """Log final metrics: nested dicts, keys joined with `/`; values that are not numbers are left out.

        Args:
            model_id: the logged model whose metrics they are, too; None: of none.
            data_set: that they were computed on; None: on none alone.
        """
        numbers = {
            name: value
            for name, value in flatten(metrics).items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        links = {"dataset_name": data_set.name, "dataset_digest": data_set.digest} if data_set else {}
        entries = _metrics(numbers, step=0, model_id=model_id, **links)
        for start in range(0, len(entries), _METRICS_PER_REQUEST):
            self._client.log_batch(self.run_id, metrics=entries[start : start + _METRICS_PER_REQUEST])

    @_never_fatal
    def log_params(self, params: dict[str, Any]) -> None:
        """Log params: nested dicts, keys joined with `.`."""
        from mlflow.entities import Param

        entries = [Param(logged_name(name), str(value)) for name, value in flatten(params, separator=".").items()]
        for start in range(0, len(entries), _PARAMS_PER_REQUEST):
            self._client.log_batch(self.run_id, params=entries[start : start + _PARAMS_PER_REQUEST])

    @_never_fatal
    def set_tag(self, name: str, value: str) -> None:
        self._client.set_tag(self.run_id, name, value)

    @_never_fatal
    def log_data_sets(self, data_sets: Iterable[DataSet]) -> None:
        """Log which data the run uses; no data are sent."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        inputs = []
        for each in data_sets:
            source, profile = json.dumps({"sha256": each.sha256}), json.dumps(each.counts)
            data_set = Dataset(each.name, each.digest, "local", source, profile=profile)
            inputs.append(DatasetInput(data_set, [InputTag("mlflow.data.context", each.use)]))
        self._client.log_inputs(self.run_id, inputs)

    @_never_fatal
    def log_folder(self, folder: Path, name: str) -> None:
        """Log the files of a folder as artifacts under `name`."""
        self._client.log_artifacts(self.run_id, str(folder), name)

    @_never_fatal
    def ask(self, question: Callable[[Any, str], Any]) -> Any:
        """Call `question` with MLflow's client and the run's id, and return its result; None without a server."""
        return question(self._client, self.run_id)

    @_never_fatal
    def finish(self, status: str = "FINISHED") -> None:
        """Send the buffered metrics and set the run's status in MLflow."""
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
        if self._stage:
            self._monitor = self.ask(start_monitor)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self._monitor is not None:
            self._monitor.finish()
        self.finish("FINISHED" if error is None else "FAILED")


def metric_name(column: str) -> str:
    """Name of a trajectory's column in MLflow, which groups charts by the part before the slash.

    `loss_identity` -> `loss/identity`.
    """
    kind, _, rest = column.partition("_")
    if kind in ("loss", "weight"):
        return f"{kind}/{rest}"
    if column in ("center_loss", "keep_loss"):
        return f"loss/{kind}"
    for ending in ("learning_rate", "grad_norm"):
        if column.endswith(ending):
            return f"{ending}/{column.removesuffix(ending).rstrip('_') or 'network'}"
    return column


def logged_name(name: str) -> str:
    """A name of a metric or param in MLflow's alphabet; users' words, such as classes, are parts of names.

    `expression/per_class/happy` stays; `.../happy!` becomes `.../happy_-` and eight digits of its digest, so that
    `happy?` gets another name.
    """
    safe = "/".join(_NOT_IN_A_NAME.sub("_", part) for part in name.split("/"))
    if safe == name and len(name) <= _MOST_OF_A_NAME:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{safe[: _MOST_OF_A_NAME - 9]}-{digest}"


def _metrics(values: dict[str, float], *, step: int, **links: str | None) -> list[Any]:
    from mlflow.entities import Metric

    now_ms = int(time.time() * 1000)
    return [Metric(logged_name(name), value, now_ms, step, **links) for name, value in values.items()]
