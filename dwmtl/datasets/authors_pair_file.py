"""The pair files of Ming et al.: a line per pair of photos, for authentication. Converts files to tables and back.

Their script writes an expression as its index in a list of six, and -1 for a neutral reference; other files write its
name.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from dwmtl import tables
from dwmtl.datasets.photo_path import moved_path
from dwmtl.datasets.text_lines import numbered_lines
from dwmtl.errors import DataSetError

AUTHORS_PAIRS = ("number", *tables.GIVEN_PAIRS)
"""A row per pair, in the order of the file's columns; number: as in the file, where the authors count from 0."""

OULU_EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
"""By the index in the authors' file for Oulu-CASIA."""

_HEADER = "No. Input_img Ref_img IdentityIssame Expression_actual Expression_require Expression_ref ExpressionIsrequire"
_EXPRESSIONS = ("expression_actual", "expression_required", "expression_reference")
_NEUTRAL = "neutral"
_IS = ("is_same_identity", "is_required_expression")


def read_authors_pairs(
    path: Path,
    photos: pd.DataFrame,
    *,
    remap: tuple[str, str] | None = None,
    expressions: Mapping[str, str | None] | None = None,
) -> pd.DataFrame:
    """Read a pair file of a set's photos. Numbers in place of expressions are indices of `OULU_EXPRESSIONS`.

    Args:
        photos: the set's manifest.
        remap: as in `parse_pairs`.
        expressions: the file's names of expressions -> the common names.
    Returns:
        Columns `tables.GIVEN_PAIRS`, in the file's order, with photos and expressions named as in the manifest.
    Raises:
        DataSetError: as `parse_pairs`; also a file without a pair, or a photo that the set does not have.
    """
    lines = list(numbered_lines(path))
    cells = [cell for _, line in lines[1:] for cell in line.split()[4:7]]
    has_numbers = all(re.fullmatch(r"-?\d+", cell) for cell in cells)
    pairs = parse_pairs(lines, name=str(path), expressions=OULU_EXPRESSIONS if has_numbers else None, remap=remap)
    if pairs.empty:
        raise DataSetError(f"{path}: it has no pair below its header. Complete it, or set pairs.file to null.")
    spelt = {tables.composed(photo): photo for photo in photos["photo"]}
    for column in ("input", "reference"):
        pairs[column] = pairs[column].map(lambda photo: spelt.get(tables.composed(photo), photo))
        unknown = pairs[~pairs[column].isin(photos["photo"])]
        if len(unknown):
            raise DataSetError(
                f"{path}, pair {unknown['number'].iloc[0]}: the set has no photo {unknown[column].iloc[0]!r}. Complete "
                "the set, or set its option remap to the folder above the file's paths."
            )
    for column in _EXPRESSIONS:
        names = pairs[column].str.lower()
        pairs[column] = names.map(lambda name: (expressions or {}).get(name) or name)
    return pairs[list(tables.GIVEN_PAIRS)]


def parse_pairs(
    lines: Iterable[tuple[int, str]],
    *,
    name: str,
    expressions: Sequence[str] | None = None,
    remap: tuple[str, str] | None = None,
) -> pd.DataFrame:
    """Read the lines of a pair file.

    Args:
        lines: (number from 1, text), as `dwmtl.datasets.text_lines.numbered_lines` yields them; the first is the
            header.
        name: of the file, for messages.
        expressions: names of the expressions 0, 1, ...; -1 is neutral. None: the cells hold names.
        remap: old and new folder above the photos: the paths must be below the first and are returned below the second.
    Returns:
        Table of `AUTHORS_PAIRS`, in the file's order.
    Raises:
        DataSetError: no header, a line that is not a pair or contradicts itself, an index without a name, or a path
            that is not below the old folder; the message names the line.
    """
    lines = iter(lines)
    number, first = next(lines, (1, ""))
    if first.split() != _HEADER.split():
        raise DataSetError(f"{name}, line {number}: must be the header, `{_HEADER}`. Got {first.strip()[:80]!r}.")
    rows = [_row(f"{name}, line {number}", line, expressions, remap) for number, line in lines]
    kinds = dict.fromkeys(AUTHORS_PAIRS, str) | {"number": int} | dict.fromkeys(_IS, bool)
    return pd.DataFrame(rows, columns=list(AUTHORS_PAIRS)).astype(kinds)


def format_pairs(
    pairs: pd.DataFrame,
    *,
    name: str,
    expressions: Sequence[str] | None = None,
    remap: tuple[str, str] | None = None,
) -> str:
    """The text of a pair file that `parse_pairs` reads as `pairs`; takes the same arguments.

    Args:
        pairs: table of `AUTHORS_PAIRS`; without `number` (a table of `tables.EXPRESSION_PAIRS`), rows are counted from
            0.
    Raises:
        DataSetError: a row that `parse_pairs` would refuse, or an expression without an index; the message names
            its line.
    """
    if "number" not in pairs:
        pairs = pairs.assign(number=range(len(pairs)))
    lines = ["  ".join(_HEADER.split())]
    for number, cells in enumerate(pairs[list(AUTHORS_PAIRS)].itertuples(index=False), start=2):
        where = f"{name}, line {number}"
        lines.append(_line(where, cells._asdict(), expressions, remap))
        _row(where, lines[-1], expressions, None)
    return "\n".join([*lines, ""])


def _row(where: str, line: str, expressions: Sequence[str] | None, remap: tuple[str, str] | None) -> dict[str, Any]:
    words = line.split()
    if len(words) != len(AUTHORS_PAIRS):
        raise DataSetError(f"{where}: {len(words)} fields; must be `{_HEADER}`. Got {line.strip()[:80]!r}.")
    row: dict[str, Any] = dict(zip(AUTHORS_PAIRS, words, strict=True))
    if not re.fullmatch(r"[0-9]{1,9}", words[0]):
        raise DataSetError(f"{where}: the number must be a whole number from 0. Got {words[0][:40]!r} instead.")
    row["number"] = int(words[0])
    for column in _IS:
        if row[column] not in ("True", "False"):
            raise DataSetError(f"{where}: {column} must be True or False. Got {row[column][:40]!r} instead.")
        row[column] = row[column] == "True"
    if (row["expression_actual"] == row["expression_required"]) != row["is_required_expression"]:
        raise DataSetError(
            f"{where}: expression_actual {row['expression_actual']}, expression_required {row['expression_required']} "
            f"and is_required_expression {row['is_required_expression']} contradict each other. Correct one of them."
        )
    if expressions is not None:
        row |= {column: _named(where, row[column], expressions) for column in _EXPRESSIONS}
    return row | {column: moved_path(where, str(row[column]), remap) for column in ("input", "reference")}


def _line(where: str, cells: dict, expressions: Sequence[str] | None, remap: tuple[str, str] | None) -> str:
    cells |= {column: moved_path(where, cells[column], remap) for column in ("input", "reference")}
    if expressions is not None:
        cells |= {column: _index(where, cells[column], expressions) for column in _EXPRESSIONS}
    words = [str(cell) for cell in cells.values()]
    for word in words:
        if len(word.split()) != 1 or not tables.is_one_line(word):
            raise DataSetError(f"{where}: {word[:80]!r} is not one word. Rename it.")
    return "  ".join(words)


def _named(where: str, index: str, expressions: Sequence[str]) -> str:
    if index == "-1":
        return _NEUTRAL
    if not re.fullmatch(r"0|[1-9][0-9]{0,8}", index) or int(index) >= len(expressions):
        raise DataSetError(
            f"{where}: an expression must be one of -1..{len(expressions) - 1}. Got {index[:40]!r} instead."
        )
    return expressions[int(index)]


def _index(where: str, expression: str, expressions: Sequence[str]) -> str:
    if expression == _NEUTRAL:
        return "-1"
    if expression not in expressions:
        raise DataSetError(
            f"{where}: the expression {expression[:40]!r} has no index; must be one of {', '.join(expressions)}."
        )
    return str(list(expressions).index(expression))
