"""Any set that a table describes: `faces.csv` in the set's folder, a row a photo."""

import csv
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dwmtl.datasets.data_set import DataSet, manifest
from dwmtl.errors import DataSetError
from dwmtl.tables import CROPS, EXPRESSION_LABELS, IDENTITY_LABELS, MANIFEST, PHOTO_FACTS, ROLES

TERMS = "A table of somebody's own: who is on it, and what they agreed to, only its owner knows."

TABLE = "faces.csv"
_TAKEN = {*CROPS, *PHOTO_FACTS, *EXPRESSION_LABELS, *IDENTITY_LABELS, "path", "person"} - {*MANIFEST}


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """Every row of `faces.csv`. `num_peak_frames` has no meaning here: the table says what each photo is.

    Columns: photo (or path, below the folder), subject (empty where nobody knows it); if there: expression, sequence,
    frame, role. Without a role a photo is neutral or a peak by its expression, and identity without one. Any further
    column (`glasses`) is kept as text.

    Raises:
        DataSetError: no such table, a column too few or twice, or a row that is wrong; it is named with its line.
    """
    table = folder / TABLE
    rows: list[dict] = []
    line_of: dict[str, int] = {}
    for number, cells in _numbered_rows(table):
        where = f"{table}, line {number}"
        row = _row(where, folder, cells)
        first = line_of.setdefault(row["photo"], number)
        if first != number:
            raise DataSetError(f"{where}: {row['photo']!r} is in line {first} too. Remove one of them.")
        rows.append(row)
    return DataSet(manifest(rows))


def _numbered_rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Number of the line that each row ends on, and its cells by column; `path` is called `photo`."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            columns = _columns(table, next(reader, []))
            for cells in filter(None, reader):
                yield reader.line_num, _cells(f"{table}, line {reader.line_num}", columns, cells)
    except FileNotFoundError:
        raise DataSetError(f"{table}: no such file. The set's folder must hold it.") from None
    except UnicodeDecodeError as error:
        raise DataSetError(f"{table}: not UTF-8 text ({error}). Save it as UTF-8.") from None
    except csv.Error as error:
        raise DataSetError(f"{table}, line {reader.line_num}: not CSV ({error}). Correct the line.") from None


def _columns(table: Path, header: list[str]) -> list[str]:
    columns = ["photo" if name.strip() == "path" else name.strip() for name in header]
    for needed in ("photo", "subject"):
        if needed not in columns:
            raise DataSetError(
                f"{table}, line 1: no column {needed}; there are {', '.join(map(repr, header)) or 'none'}. Name one so."
            )
    for name in columns:
        if not name or not name.isprintable() or columns.count(name) > 1:
            raise DataSetError(f"{table}, line 1: column {name!r} has no name of its own. Rename it.")
        if name in _TAKEN:
            raise DataSetError(f"{table}, line 1: column {name!r} has a name that later tables use. Rename it.")
    return columns


def _cells(where: str, columns: list[str], cells: list[str]) -> dict[str, str]:
    if len(cells) != len(columns):
        raise DataSetError(f"{where}: {len(cells)} cells, and the first line names {len(columns)} columns. Correct it.")
    for cell in cells:
        if not cell.isprintable():
            raise DataSetError(f"{where}: {cell[:80]!r} is not text on one line. Correct it.")
    return dict(zip(columns, map(str.strip, cells), strict=True))


def _row(where: str, folder: Path, cells: dict[str, str]) -> dict:
    expression = cells.get("expression", "").lower()
    row = {
        "photo": _photo(where, folder, cells["photo"]),
        "subject": cells["subject"],
        "sequence": cells.get("sequence", ""),
        "frame": _frame(where, cells.get("frame", "")),
        "expression": expression,
        "role": _role(where, cells.get("role", ""), expression),
    }
    return row | {column: cell for column, cell in cells.items() if column not in MANIFEST}


def _photo(where: str, folder: Path, photo: str) -> str:
    path = PurePosixPath(photo)
    if path.is_absolute() or ".." in path.parts or "\\" in photo or str(path) != photo:
        raise DataSetError(f"{where}: {photo!r} is no path below {folder} with forward slashes. Move the photo there.")
    if not (folder / photo).is_file():
        raise DataSetError(f"{where}: names {folder / photo}, which is not there. Complete the set or remove the row.")
    return photo


def _frame(where: str, frame: str) -> int:
    if frame and not (frame.isdecimal() and len(frame) <= 9):
        raise DataSetError(f"{where}: frame must be a whole number from 0. Got {frame[:40]!r} instead.")
    return int(frame or 0)


def _role(where: str, role: str, expression: str) -> str:
    """The role as given, or what the expression says, and whether the two agree."""
    role = role or ("identity" if not expression else "neutral" if expression == "neutral" else "peak")
    if role not in ROLES:
        raise DataSetError(f"{where}: role must be one of {', '.join(ROLES)}. Got {role[:40]!r} instead.")
    is_peak = expression not in ("", "neutral")
    if role in ("peak", "neutral") and is_peak != (role == "peak"):
        raise DataSetError(f"{where}: role {role} and expression {expression!r} do not agree. Correct one of them.")
    return role
