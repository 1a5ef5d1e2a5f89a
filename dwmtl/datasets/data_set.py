"""The result of every adapter, and the listing of folders. An adapter lists files; it never decodes one."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dwmtl.errors import DataSetError
from dwmtl.tables import MANIFEST, PICTURE_ENDINGS, VERIFICATION_PAIRS


@dataclass(frozen=True)
class DataSet:
    """A data set as its adapter reads it.

    Attributes:
        photos: columns `tables.MANIFEST`, sorted by photo; any further column holds labels of a further task.
        pairs: columns `tables.VERIFICATION_PAIRS`, or None for a set without official pairs.
    """

    photos: pd.DataFrame
    pairs: pd.DataFrame | None = None


_DEFAULTS = {"sequence": "", "frame": 0, "expression": "", "use": "train"}


def manifest(rows: Sequence[Mapping[str, object]] | dict[str, Sequence]) -> pd.DataFrame:
    """The manifest, sorted by photo. Missing columns get the values of `_DEFAULTS`; further columns come last, empty
    where a row has no value.

    Args:
        rows: a dict per photo; or a dict of columns, which takes a tenth of the memory for millions of photos.
    """
    table = pd.DataFrame(rows)
    for column, value in _DEFAULTS.items():
        if column not in table:
            table[column] = value
    others = [column for column in table if column not in MANIFEST]
    table[others] = table[others].fillna("")
    return table.reindex(columns=[*MANIFEST, *others]).sort_values("photo", ignore_index=True)


def pair_table(rows: list[tuple[str, str, bool, int]]) -> pd.DataFrame:
    """Rows of official pairs, in the set's order."""
    return pd.DataFrame(rows, columns=list(VERIFICATION_PAIRS))


def folders_of(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted; without hidden ones and those that archivers add (`__MACOSX`)."""
    with _entries(folder) as entries:
        return _sorted_names(folder, (e.name for e in entries if e.is_dir() and not e.name.startswith((".", "__"))))


def pictures_of(folder: Path) -> list[str]:
    """Names of the files in a folder with the ending of a picture, sorted; without hidden ones."""
    return [name for name in files_of(folder) if name.lower().endswith(PICTURE_ENDINGS)]


def files_of(folder: Path) -> list[str]:
    """Names of the files in a folder, sorted; without hidden ones."""
    with _entries(folder) as entries:
        return _sorted_names(folder, (e.name for e in entries if e.is_file() and not e.name.startswith(".")))


def _entries(folder: Path):
    """The result of `os.scandir`.

    Raises:
        DataSetError: the folder does not exist.
    """
    try:
        return os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError):
        raise DataSetError(f"{folder}: no such folder. The set's folder must hold it.") from None


def _sorted_names(folder: Path, names: Iterable[str]) -> list[str]:
    """The names, sorted.

    Raises:
        DataSetError: a name that a table cannot hold: not UTF-8, or with a line break.
    """
    names = sorted(names)
    for name in names:
        if not name.isprintable():
            raise DataSetError(f"{folder}: the name {name!r} is not UTF-8 text on one line. Rename the file.")
    return names
