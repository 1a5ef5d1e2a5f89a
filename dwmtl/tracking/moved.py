"""An SQLite file of MLflow that was moved or copied with its checkout: its artifacts are beside it again.

MLflow stores absolute paths of artifacts in the database. Knows no run but by the folder of its artifacts.
"""

import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

log = logging.getLogger(__name__)

ARTIFACTS = "mlruns"
"""MLflow's name for the folder of artifacts; ours is beside the SQLite file."""

_PATHS = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}
"""Tables with the places of artifacts, all of them below an experiment's."""


def follow_artifacts(path: Path) -> None:
    """Point an SQLite file at the artifacts beside it, where it names the folder that it was moved or copied from.

    It was, if artifacts of its runs are beside it, or if the checkout that it names is gone. An experiment whose
    artifacts stayed in another folder than the file's and the working directory gets a warning.
    """
    folder = path.resolve().parent
    with closing(sqlite3.connect(path)) as database:
        for experiment, location in _locations(database):
            old = _local_path(location)
            if old is None or ARTIFACTS not in old.parts:
                continue
            split = len(old.parts) - 1 - old.parts[::-1].index(ARTIFACTS)
            checkout, new = Path(*old.parts[:split]), folder.joinpath(*old.parts[split:])
            if _is_same(checkout, folder):
                continue
            if not checkout.exists() or _holds_a_run(new, database, experiment):
                _move(database, location, new)
            elif not _is_same(checkout, Path.cwd()):
                log.warning("MLflow (%s) keeps its artifacts in %s, not in %s.", path, old, folder / ARTIFACTS)


def _locations(database: sqlite3.Connection) -> list[tuple[int, str]]:
    """Id and location of each experiment; none in a file without MLflow's tables."""
    try:
        return database.execute("SELECT experiment_id, artifact_location FROM experiments").fetchall()
    except sqlite3.DatabaseError:
        return []  # MLflow says what is wrong


def _local_path(location: str) -> Path | None:
    """The folder of a location, a path or `file:` URI; None for a server's."""
    parsed = urlsplit(location)
    if parsed.scheme == "file":
        return Path(url2pathname(parsed.path))
    return None if parsed.scheme else Path(location)


def _is_same(a: Path, b: Path) -> bool:
    return a == b or (a.exists() and os.path.samefile(a, b))


def _holds_a_run(folder: Path, database: sqlite3.Connection, experiment: int) -> bool:
    runs = database.execute("SELECT run_uuid FROM runs WHERE experiment_id = ?", (experiment,))
    return any((folder / name).is_dir() for (name,) in runs)


def _move(database: sqlite3.Connection, old: str, new: Path) -> None:
    """Replace the start of each path that is, or is below, a location."""
    before, uri = _local_path(old), new.as_uri()  # in a plain path, MLflow would take a % for the start of a code
    try:
        with database:
            for table, column in _PATHS.items():
                database.execute(
                    f"UPDATE {table} SET {column} = :new || substr({column}, :length + 1) "
                    f"WHERE {column} = :old OR substr({column}, 1, :length + 1) = :old || '/'",
                    {"old": old, "new": uri, "length": len(old)},
                )
    except sqlite3.OperationalError as error:
        log.warning("MLflow: artifacts are in %s, the database names %s and cannot be changed: %s.", new, before, error)
    else:
        log.info("MLflow's database was moved or copied: its artifacts are in %s, no longer in %s.", new, before)
