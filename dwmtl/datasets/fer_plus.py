"""FER+: ten people's labels of each face of FER2013, `fer2013new.csv`, whose rows follow those of `fer2013.csv`.

Source: Barsoum et al. 2016, arXiv:1608.01041.
"""

from collections.abc import Iterator
from pathlib import Path

from dwmtl.datasets.csv_rows import numbered_csv_rows, whole_row
from dwmtl.datasets.packs.fer2013_table import USAGES
from dwmtl.errors import DataSetError

TABLE = "fer2013new.csv"
EXPRESSIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
COLUMNS = ("Usage", "Image name", *EXPRESSIONS, "unknown", "NF")
"""NF: no face."""

_MOST_VOTES = 100
"""In a cell; the published table has ten votes in a row."""


def votes(table: Path) -> Iterator[tuple[str, dict[str, int]]]:
    """Usage of each row, and its number of votes for each of `EXPRESSIONS`, `unknown` and `NF`.

    Raises:
        DataSetError: the file is missing, not CSV, or a row is wrong; the message names its line.
    """
    rows = numbered_csv_rows(table)
    columns = [name.strip() for name in next(rows, (1, []))[1]]
    if sorted(columns) != sorted(COLUMNS):
        raise DataSetError(f"{table}, line 1: must be {','.join(COLUMNS)}. Got {','.join(columns)[:80]!r} instead.")
    for line, cells in rows:
        if cells:
            yield _row(f"{table}, line {line}", columns, cells)


def _row(where: str, columns: list[str], cells: list[str]) -> tuple[str, dict[str, int]]:
    row = {column: cell.strip() for column, cell in whole_row(where, columns, cells).items()}
    if row["Usage"] not in USAGES:
        raise DataSetError(f"{where}: Usage must be one of {', '.join(USAGES)}. Got {row['Usage'][:40]!r} instead.")
    return row["Usage"], {name: _num_votes(where, name, row[name]) for name in COLUMNS[2:]}


def _num_votes(where: str, name: str, cell: str) -> int:
    if not (cell.isascii() and cell.isdecimal() and len(cell) < 4 and int(cell) <= _MOST_VOTES):
        raise DataSetError(f"{where}: {name} must be a number of votes, 0 to {_MOST_VOTES}. Got {cell[:40]!r} instead.")
    return int(cell)


def majority(votes: dict[str, int]) -> str:
    """The expression with more than half of the votes; empty where none has, or the face is unknown or none.

    A single vote for something is an outlier and does not count.

    Args:
        votes: a number for each of `EXPRESSIONS`, `unknown` and `NF`.
    Source: Barsoum et al. 2016, majority voting; outliers and ties as in their code, github.com/microsoft/FERPlus.
    """
    counted = without_outliers(votes)
    most = max(counted, key=counted.__getitem__, default="")
    return most if most in EXPRESSIONS and 2 * counted[most] > sum(counted.values()) else ""


def without_outliers(votes: dict[str, int]) -> dict[str, int]:
    """The votes for what more than one person saw."""
    return {name: num for name, num in votes.items() if num > 1}
