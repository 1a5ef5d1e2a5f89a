"""The tracking server: its address, its client, the wording of its failures. Does not know what is logged."""

import contextlib
import logging
import os
import re
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote, unquote

from dwmtl.checkout import checkout, is_copy
from dwmtl.errors import ModelFileError, install_line
from dwmtl.tracking.moved import ARTIFACTS, follow_artifacts

log = logging.getLogger(__name__)

DATABASE = "mlflow.db"
"""The SQLite file in the checkout that runs are logged to where MLFLOW_TRACKING_URI names no server."""
_WAITS_S = (1, 2, 4, 8)
_MOST_WAIT_S = 60

for _name, _value in {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}.items():
    os.environ.setdefault(_name, _value)  # before any function here imports mlflow, which reads them then


def tracking_uri() -> str:
    """URI of the server that runs are logged to; a queued experiment's runs go to the checkout's own database."""
    path = str(checkout() / DATABASE) if is_copy() else DATABASE
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{quote(path)}"


def server_name() -> str:
    """The tracking URI without user name and password, for messages."""
    scheme, separator, rest = tracking_uri().partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def first_line(error: Exception) -> str:
    """At most 300 characters of an error's first line, without user name and password."""
    text = (isinstance(error, ImportError) and install_line(error)) or str(error) or type(error).__name__
    message = text.strip().splitlines()[0][:300]
    return message.replace(tracking_uri(), server_name())


def has_store() -> bool:
    """False for an SQLite file that does not exist, which connecting would create."""
    path = _sqlite_file()
    return path is None or path.exists()


def connect() -> Any:
    """MLflow's client of the server; MLflow's logging is set to warnings.

    The first process that connects to a database creates its tables; two at once would corrupt them. For SQLite,
    processes wait for a lock beside its file, which is created whole or not at all, also by a process that is killed.
    Any other database refuses the second process, which tries again.
    """
    from mlflow import MlflowClient

    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    if is_copy():  # MLflow looks up the model of a new version without the client
        os.environ["MLFLOW_TRACKING_URI"] = tracking_uri()
    if path := _sqlite_file():
        from filelock import FileLock

        with FileLock(f"{path}.lock", timeout=_MOST_WAIT_S):
            _require_whole(path)
            follow_artifacts(path)
            return MlflowClient(tracking_uri=tracking_uri())
    for seconds in _WAITS_S:
        try:
            return MlflowClient(tracking_uri=tracking_uri())
        except Exception:
            time.sleep(seconds)
    return MlflowClient(tracking_uri=tracking_uri())


def artifact_location(experiment: str) -> str | None:
    """Where the artifacts of a new experiment are kept: beside an SQLite file; None where the server decides.

    MLflow itself would take the working directory.
    """
    path = _sqlite_file()
    folder = re.sub(r"[^\w.-]", "_", experiment).strip(".") or "_"
    return None if path is None else (path.resolve().parent / ARTIFACTS / folder[:100]).as_uri()


def _require_whole(path: Path) -> None:
    """Create an SQLite file with MLflow's tables where there is none, or one that a killed process left half made.

    The file is made beside its place. One that holds a run, or is another program's, is never touched.
    """
    exists = path.exists() and path.stat().st_size > 0
    if exists and (_is_used(path) or _has_tables(path)):
        return
    if exists:
        log.warning("%s was left half made and holds no run; it is made anew.", path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{path.name}.making-*"):
        shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(prefix=f"{path.name}.making-", dir=path.resolve().parent) as folder:
        made = Path(folder) / path.name
        with contextlib.chdir(path.parent):  # where the artifacts of MLflow's own experiment, `Default`, will be
            _open_sqlite(made)
        os.replace(made, path)


def _is_used(path: Path) -> bool:
    """Whether an SQLite file holds a run of MLflow, or something that is not MLflow's."""
    with closing(sqlite3.connect(path)) as database:
        try:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "runs" in tables:
                return database.execute("SELECT 1 FROM runs").fetchone() is not None
        except sqlite3.DatabaseError:
            return True
    return bool(tables) and "experiments" not in tables


def _has_tables(path: Path) -> bool:
    """Whether MLflow opens an SQLite file: tried on a copy, as MLflow keeps what it has opened."""
    with TemporaryDirectory(prefix="dwmtl-mlflow-") as folder:
        copy = Path(folder) / path.name
        with closing(sqlite3.connect(path)) as database, closing(sqlite3.connect(copy)) as other:
            database.backup(other)
        try:
            _open_sqlite(copy)
        except Exception:
            return False
    return True


def _open_sqlite(path: Path) -> None:
    from mlflow import MlflowClient

    MlflowClient(tracking_uri=f"sqlite:///{quote(str(path.resolve()))}").search_experiments(max_results=1)


def download(uri: str, folder: Path) -> Path:
    """Copy the artifacts of `runs:/...` or `models:/...` into `folder`.

    Raises:
        ModelFileError: the server does not answer, or has no such artifacts.
    """
    registry_uri = os.environ.get("MLFLOW_REGISTRY_URI") or tracking_uri()
    if not has_store():
        raise ModelFileError(
            f"{uri}: {server_name()} does not exist. Set MLFLOW_TRACKING_URI to the server that has it."
        )
    try:
        import mlflow

        if path := _sqlite_file():
            follow_artifacts(path)
        uris = {"tracking_uri": tracking_uri(), "registry_uri": registry_uri}
        return Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder), **uris))
    except Exception as error:
        raise ModelFileError(f"{uri}: MLflow ({server_name()}) cannot download it: {first_line(error)}") from None


def _sqlite_file() -> Path | None:
    kind, _, path = tracking_uri().partition(":///")
    return Path(unquote(path)) if kind == "sqlite" else None  # as MLflow takes it
