"""The result of every adapter, and the listing of folders. An adapter lists files; it never decodes one."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dwmtl.datasets.packs.picture_kind import is_picture
from dwmtl.datasets.photo_path import spellings
from dwmtl.errors import DataSetError
from dwmtl.tables import MANIFEST, PICTURE_ENDINGS, VERIFICATION_PAIRS, composed, is_one_line


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

    Names of people, sequences and expressions are composed, so that two spellings of one are one.

    Args:
        rows: a dict per photo; or a dict of columns, which takes a tenth of the memory for millions of photos.
    """
    table = pd.DataFrame(rows)
    for column in ("subject", "sequence", "expression"):
        if column in table:
            table[column] = table[column].map(composed, na_action="ignore")
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
    """Names of the folders in a folder, sorted; without hidden ones and those that macOS adds (`__MACOSX`)."""
    with _entries(folder) as entries:
        names = (e.name for e in entries if e.is_dir() and not e.name.startswith("."))
        return _sorted_names(folder, (name for name in names if name != "__MACOSX"))


def pictures_of(folder: Path) -> list[str]:
    """Names of the pictures in a folder, see `is_picture`, sorted; without hidden ones."""
    return [name for name in files_of(folder) if is_picture(folder / name)]


def pictures_below(folder: Path) -> list[str]:
    """Paths of the pictures in a folder and below it, at any depth, with forward slashes.

    A link to a folder above itself is not followed.
    """
    return list(_pictures_below(folder, frozenset()))


def _pictures_below(folder: Path, above: frozenset[str]) -> Iterator[str]:
    place = os.path.realpath(folder)
    if place in above:
        return
    yield from pictures_of(folder)
    for name in folders_of(folder):
        yield from (f"{name}/{picture}" for picture in _pictures_below(folder / name, above | {place}))


class NamedPictures:
    """Pictures that a file names without their ending: `Ann_0001` is `Ann_0001.jpg`, `Ann_0001.PNG`, or
    `Ann_0001.jpg.png` as `dwmtl align` names a crop, in any Unicode form."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._by_name: dict[str, dict[str, list[str]]] = {}

    def find(self, where: str, folder: str, name: str) -> str:
        """The picture's path below the set's folder, with forward slashes.

        Args:
            where: file and line that name it, for errors.
            folder: the picture's, below the set's.
            name: without an ending.
        Raises:
            DataSetError: no picture has the name, or several have.
        """
        if folder not in self._by_name:
            self._by_name[folder] = self._listed(folder)
        found = self._by_name[folder].get(composed(name), [])
        if len(found) > 1:
            raise DataSetError(f"{where}: names {name}, which could be {' or '.join(found)}. Remove the wrong ones.")
        if not found:
            raise DataSetError(
                f"{where}: names {self._folder / folder / name} (.jpg, or another ending), which does not exist. "
                "Every named picture is needed: complete the set."
            )
        return found[0]

    def _listed(self, folder: str) -> dict[str, list[str]]:
        """Paths by name, with the folder spelt as on disk."""
        spelt = next((form for form in spellings(folder) if os.path.isdir(self._folder / form)), None)
        by_name: dict[str, list[str]] = {}
        for picture in pictures_of(self._folder / spelt) if spelt is not None else []:
            name = composed(without_picture_endings(picture))
            by_name.setdefault(name, []).append(f"{spelt}/{picture}" if spelt else picture)
        return by_name


def without_picture_endings(name: str) -> str:
    """`a` of `a.jpg`, and of `a.jpg.png`."""
    while name.lower().endswith(PICTURE_ENDINGS):
        name = name.rpartition(".")[0]
    return name


def files_of(folder: Path) -> list[str]:
    """Names of the files in a folder, sorted; without hidden ones."""
    with _entries(folder) as entries:
        return _sorted_names(folder, (e.name for e in entries if e.is_file() and not e.name.startswith(".")))


def _entries(folder: Path):
    """The result of `os.scandir`.

    Raises:
        DataSetError: the folder does not exist, or is a file.
    """
    try:
        return os.scandir(folder)
    except NotADirectoryError:
        raise DataSetError(f"{folder}: a file, not a folder. Name the folder that holds it.") from None
    except FileNotFoundError:
        raise DataSetError(f"{folder}: no such folder. The set's folder must hold it.") from None


def _sorted_names(folder: Path, names: Iterable[str]) -> list[str]:
    """The names, sorted.

    Raises:
        DataSetError: a name that a table cannot hold: not UTF-8, or with a line break.
    """
    names = sorted(names)
    for name in names:
        if not is_one_line(name):
            raise DataSetError(f"{folder}: the name {name!r} is not UTF-8 text on one line. Rename the file.")
    return names
