"""The tracking server: where it is, a client of it, what it holds under a URI, and how its failures are told."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from dwmtl.errors import ModelFileError

DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"
_WAITS_S = (1, 2, 4, 8)
_MOST_WAIT_S = 60

for _name, _value in {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}.items():
    os.environ.setdefault(_name, _value)  # read by mlflow when it is imported, which only functions of this package do


def tracking_uri() -> str:
    """Where runs go."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING_URI


def server_name() -> str:
    """The tracking URI as it may be printed: without a user's name and password."""
    scheme, separator, rest = tracking_uri().partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def first_line(error: Exception) -> str:
    """What an error says in its first 300 characters of its first line, without a password."""
    message = (str(error) or type(error).__name__).strip().splitlines()[0][:300]
    return message.replace(tracking_uri(), server_name())


def client_of_server():
    """MLflow's client of the server; it says what is wrong and nothing else."""
    from mlflow import MlflowClient

    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=tracking_uri())


def patiently(connect: Callable):
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
        raise ModelFileError(f"{uri}: MLflow ({server_name()}) does not give it: {first_line(error)}") from None
