"""Any set that a table describes: `faces.csv` in the set's folder, a row per photo; its pairs, if any, `pairs.csv`."""

from collections.abc import Iterator
from pathlib import Path

from dwmtl.datasets.csv_rows import numbered_csv_rows, whole_row
from dwmtl.datasets.data_set import DataSet, manifest
from dwmtl.datasets.own_pairs import read_own_pairs
from dwmtl.datasets.photo_path import found_photo
from dwmtl.errors import DataSetError
from dwmtl.tables import CROPS, EXPRESSION_LABELS, IDENTITY_LABELS, MANIFEST, PHOTO_FACTS, USES, is_one_line

TERMS = "A table of somebody's own: who is on it, and what they agreed to, only its owner knows."

TABLE = "faces.csv"
_TAKEN = {*CROPS, *PHOTO_FACTS, *EXPRESSION_LABELS, *IDENTITY_LABELS, "path", "person"} - {*MANIFEST}


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """Every row of `faces.csv`. `num_peak_frames` is ignored: the table defines the use of each photo.

    Columns: photo (or path, below the folder), subject (empty where unknown); optional: expression, sequence, frame,
    use. The use defaults to neutral or peak by the expression, and to train where there is none. Further columns
    (`glasses`) are kept as text. Pairs: see `own_pairs`.

    Raises:
        DataSetError: the table is missing, a column is missing or repeated, or a row of either table is wrong; the
            message names the line.
    """
    table = folder / TABLE
    rows: list[dict] = []
    line_of: dict[str, int] = {}
    for number, cells in _numbered_rows(table):
        where = f"{table}, line {number}"
        row = _row(where, folder, cells)
        first = line_of.setdefault(row["photo"], number)
        if first != number:
            raise DataSetError(f"{where}: {row['photo']!r} is in line {first}, too. Remove one of them.")
        rows.append(row)
    photos = manifest(rows)
    return DataSet(photos, read_own_pairs(folder, photos))


def _numbered_rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The line number where each row ends, and its cells by column; `path` is renamed to `photo`."""
    rows = numbered_csv_rows(table)
    columns = _columns(table, next(rows, (1, []))[1])
    for number, cells in rows:
        if cells:
            yield number, _cells(f"{table}, line {number}", columns, cells)


def _columns(table: Path, header: list[str]) -> list[str]:
    columns = ["photo" if name.strip() == "path" else name.strip() for name in header]
    for separator, sign in {"semicolons": ";", "tabs": "\t"}.items():
        if len(header) == 1 and sign in header[0]:
            raise DataSetError(f"{table}, line 1: its columns are separated by {separator}. Save it with commas.")
    for needed in ("photo", "subject"):
        if needed not in columns:
            raise DataSetError(
                f"{table}, line 1: no column {needed} among {', '.join(map(repr, header)) or 'none'}. Add it, or "
                "rename one."
            )
    if "role" in columns:
        raise DataSetError(
            f"{table}, line 1: the column role is now named use, and its value identity is now train. Rename both."
        )
    for name in columns:
        if not name or not is_one_line(name) or columns.count(name) > 1:
            raise DataSetError(
                f"{table}, line 1: the column name {name!r} is empty, unprintable or repeated. Rename it."
            )
        if name in _TAKEN:
            raise DataSetError(f"{table}, line 1: the column name {name!r} is used by later tables. Rename it.")
    return columns


def _cells(where: str, columns: list[str], cells: list[str]) -> dict[str, str]:
    named = whole_row(where, columns, cells)
    return {column: cell if column == "photo" else cell.strip() for column, cell in named.items()}


def _row(where: str, folder: Path, cells: dict[str, str]) -> dict:
    photo = found_photo(where, folder, cells["photo"])
    expression = cells.get("expression", "").lower()
    row = {
        "photo": photo,
        "subject": cells["subject"],
        "sequence": cells.get("sequence", ""),
        "frame": _frame(where, cells.get("frame", "")),
        "expression": expression,
        "use": _use(where, cells.get("use", ""), expression),
    }
    return row | {column: cell for column, cell in cells.items() if column not in MANIFEST}


def _frame(where: str, frame: str) -> int:
    if frame and not (frame.isdecimal() and len(frame) <= 9):
        raise DataSetError(f"{where}: frame must be a whole number from 0. Got {frame[:40]!r} instead.")
    return int(frame or 0)


def _use(where: str, use: str, expression: str) -> str:
    """The given use, or the default for the expression.

    Raises:
        DataSetError: no such use, or the expression contradicts it.
    """
    use = use or ("train" if not expression else "neutral" if expression == "neutral" else "peak")
    if use not in USES:
        raise DataSetError(f"{where}: use must be one of {', '.join(USES)}. Got {use[:40]!r} instead.")
    is_peak = expression not in ("", "neutral")
    if use in ("peak", "neutral") and is_peak != (use == "peak"):
        raise DataSetError(f"{where}: use {use} and expression {expression!r} do not agree. Correct one of them.")
    return use
