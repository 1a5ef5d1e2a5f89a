"""The label files of Ming et al.: a line per photo, of Oulu-CASIA or of CK+. Files to tables and back; opens no photo.

The authors' scripts skip the first line and split the others at white space, so that no cell is empty or holds any.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from dwmtl.datasets.ck_plus import EXPRESSIONS
from dwmtl.datasets.photo_path import moved_path
from dwmtl.datasets.text_lines import numbered_lines
from dwmtl.errors import DataSetError
from dwmtl.files import write_text
from dwmtl.tables import is_one_line

OULU_CASIA = ("number", "subject", "expression", "label", "image_path")
CK_PLUS = ("number", "subject", "session", "frame", "label")
"""session and frame are text, `001` and `00000011`, as in the photo's name; label: as in `ck_plus`."""

_HEADERS: dict[tuple[str, ...], str] = {
    OULU_CASIA: "No subject expression label image_path",
    CK_PLUS: "count subject session frame label",
}
_NUMBER = re.compile(r"([0-9]{1,9})(\.0*)?(e[+-]?0{1,9})?")  # CK+ writes labels as 3.0000000e+00


def oulu_casia_table(photos: pd.DataFrame) -> pd.DataFrame:
    """Labels in the format for Oulu-CASIA; neutral is label 0, the others follow in sorted order.

    Args:
        photos: columns photo, subject, expression.
    """
    expressions = ["neutral", *sorted(set(photos["expression"]) - {"neutral"})]
    table = photos.rename(columns={"photo": "image_path"}).assign(
        number=range(len(photos)),
        label=photos["expression"].map(expressions.index),
        expression=photos["expression"].str.capitalize(),
    )
    return table[list(OULU_CASIA)]


def ck_plus_table(photos: pd.DataFrame) -> pd.DataFrame:
    """Labels in the format for CK+, whose photos are named as `ck_plus` reads them.

    Args:
        photos: columns photo, expression.
    Raises:
        DataSetError: a photo with another name, or an expression that CK+ does not have.
    """
    names = photos["photo"].str.extract(r"(?P<subject>S\d+)_(?P<session>\d+)_(?P<frame>\d+)\.\w+$")
    is_wrong = names["subject"].isna() | ~photos["expression"].isin(EXPRESSIONS)
    if is_wrong.any():
        photo = photos[is_wrong].iloc[0]
        raise DataSetError(
            f"{photo['photo']} ({photo['expression']}): not a photo of CK+, which are named like "
            "S005_001_00000011.png. Use the format of Oulu-CASIA."
        )
    table = names.assign(number=range(len(photos)), label=photos["expression"].map(EXPRESSIONS.index))
    return table[list(CK_PLUS)]


def is_ck_plus(path: Path) -> bool:
    """Whether a label file is of CK+, by its first line.

    Raises:
        DataSetError: the file is missing or not text.
    """
    _, header = next(numbered_lines(path), (1, ""))
    return header.split() == _HEADERS[CK_PLUS].split()


def read_oulu_casia(path: Path, *, remap: tuple[str, str] | None = None) -> pd.DataFrame:
    """Read a label file of Oulu-CASIA.

    Args:
        remap: old and new folder above the photos: the paths must be below the first and are returned below the second.
    Returns:
        Table of `OULU_CASIA`, in the file's order.
    Raises:
        DataSetError: a line that is not a row, an expression with two labels, a label with two expressions, or a path
            that is not below the old folder; the message names the line.
    """
    return _table(path, numbered_lines(path), OULU_CASIA, remap)


def write_oulu_casia(table: pd.DataFrame, path: Path, *, remap: tuple[str, str] | None = None) -> None:
    """Write a table of `OULU_CASIA` so that `read_oulu_casia` returns it again, with the same `remap`.

    Raises:
        DataSetError: a row that `read_oulu_casia` would refuse; the message names its line. No file is written.
    """
    _write(table, path, OULU_CASIA, remap)


def read_ck_plus(path: Path) -> pd.DataFrame:
    """Read a label file of CK+, which holds no paths.

    Returns:
        Table of `CK_PLUS`, in the file's order.
    Raises:
        DataSetError: a line that is not a row, or a label outside 0..7; the message names the line.
    """
    return _table(path, numbered_lines(path), CK_PLUS)


def write_ck_plus(table: pd.DataFrame, path: Path) -> None:
    """Write a table of `CK_PLUS` so that `read_ck_plus` returns it again.

    Raises:
        DataSetError: a row that `read_ck_plus` would refuse; the message names its line. No file is written.
    """
    _write(table, path, CK_PLUS)


def _table(
    path: Path, lines: Iterable[tuple[int, str]], columns: tuple[str, ...], remap: tuple[str, str] | None = None
) -> pd.DataFrame:
    lines = iter(lines)
    _check_header(path, next(lines, (1, "")), columns)
    rows = []
    meanings: dict[object, object] = {}
    for number, line in lines:
        where = f"{path}, line {number}"
        row = _row(where, line, columns)
        _check_label(where, row, meanings)
        if "image_path" in row:
            row["image_path"] = moved_path(where, row["image_path"], remap)
        rows.append(row)
    kinds = {column: int if column in ("number", "label") else str for column in columns}
    return pd.DataFrame(rows, columns=list(columns)).astype(kinds)


def _check_header(path: Path, first: tuple[int, str], columns: tuple[str, ...]) -> None:
    number, line = first
    fields = line.split()
    if len(fields) < 2 or _NUMBER.fullmatch(fields[0]):
        raise DataSetError(f"{path}, line {number}: must be the header, `{_HEADERS[columns]}`. Got {line[:80]!r}.")


def _row(where: str, line: str, columns: tuple[str, ...]) -> dict[str, Any]:
    fields = line.split()
    if len(fields) != len(columns):
        raise DataSetError(f"{where}: {len(fields)} fields; must be `{_HEADERS[columns]}`. Got {line.strip()[:80]!r}.")
    row: dict[str, Any] = dict(zip(columns, fields, strict=True))
    for column in ("number", "label"):
        match = _NUMBER.fullmatch(row[column])
        if match is None:
            raise DataSetError(f"{where}: {column} must be a whole number from 0. Got {row[column][:40]!r} instead.")
        row[column] = int(match[1])
    return row


def _check_label(where: str, row: dict, meanings: dict) -> None:
    """Refuse an unknown label of CK+, or a label of Oulu-CASIA with another expression than in the lines before."""
    label = row["label"]
    if "expression" not in row:
        if label >= len(EXPRESSIONS):
            raise DataSetError(f"{where}: label must be one of 0..{len(EXPRESSIONS) - 1}. Got {label} instead.")
        return
    expression = row["expression"]
    if meanings.setdefault(label, expression) != expression or meanings.setdefault(expression, label) != label:
        raise DataSetError(
            f"{where}: label {label} has expression {expression}; in the lines above, label {label} has expression "
            f"{meanings.get(label)}, and {expression} has label {meanings.get(expression)}. Correct one of the lines."
        )


def _write(table: pd.DataFrame, path: Path, columns: tuple[str, ...], remap: tuple[str, str] | None = None) -> None:
    """Write the table, whole or not at all, after reading over what would be written."""
    path = Path(path)
    lines = [_HEADERS[columns]]
    for number, cells in enumerate(table[list(columns)].itertuples(index=False), start=2):
        lines.append(_line(f"{path}, line {number}", cells._asdict(), remap))
    _table(path, enumerate(lines, start=1), columns)
    write_text("\n".join([*lines, ""]), path)


def _line(where: str, cells: dict, remap: tuple[str, str] | None) -> str:
    if "image_path" in cells:
        cells["image_path"] = moved_path(where, cells["image_path"], remap)
    words = [str(cell) for cell in cells.values()]
    for word in words:
        if len(word.split()) != 1 or not is_one_line(word):
            raise DataSetError(f"{where}: {word[:80]!r} is not one word. Rename it.")
    return " ".join(words)
