"""A user's CSV file, row by row with line numbers. Knows nothing of its columns."""

import csv
from collections.abc import Iterator
from pathlib import Path

from dwmtl.errors import DataSetError
from dwmtl.tables import is_one_line


def numbered_csv_rows(table: Path) -> Iterator[tuple[int, list[str]]]:
    """The line number where each row ends, and its cells.

    Raises:
        DataSetError: the file is missing, not UTF-8, or a line is not CSV.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for cells in reader:
                yield reader.line_num, cells
    except FileNotFoundError:
        raise DataSetError(f"{table}: no such file. The set's folder must hold it.") from None
    except UnicodeDecodeError as error:
        raise DataSetError(f"{table}: not UTF-8 text ({error}). Save it as UTF-8.") from None
    except csv.Error as error:
        raise DataSetError(f"{table}, line {reader.line_num}: not CSV ({error}). Correct the line.") from None


def whole_row(where: str, columns: list[str], cells: list[str]) -> dict[str, str]:
    """A row's cells by column.

    Raises:
        DataSetError: more or fewer cells than columns, or a cell that no table can hold; the message starts with
            `where`, file and line.
    """
    if len(cells) != len(columns):
        raise DataSetError(f"{where}: {len(cells)} cells; must be {len(columns)}, as in the first line. Correct it.")
    for cell in cells:
        if not is_one_line(cell):
            raise DataSetError(f"{where}: {cell[:80]!r} is not text on one line. Correct it.")
    return dict(zip(columns, cells, strict=True))
