"""The pair files of Ming et al.: a line a pair of photos, for authentication. Lines to a table and back.

Their script writes an expression as its index in a list of six, and -1 for a neutral reference; other files name it.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from dwmtl import tables
from dwmtl.errors import ProtocolError
from dwmtl.protocol.expressions import NEUTRAL

AUTHORS_PAIRS = ("number", *tables.EXPRESSION_PAIRS[:-1])
"""A row a pair, in the order of the file's columns; number: the line's own, the authors count from 0."""

OULU_EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
"""What the indices of the authors' file for Oulu-CASIA mean."""

_HEADER = "No. Input_img Ref_img IdentityIssame Expression_actual Expression_require Expression_ref ExpressionIsrequire"
_EXPRESSIONS = ("expression_actual", "expression_required", "expression_reference")
_IS = ("is_same_identity", "is_required_expression")


def parse_pairs(
    lines: Iterable[tuple[int, str]],
    *,
    name: str,
    expressions: Sequence[str] | None = None,
    remap: tuple[str, str] | None = None,
) -> pd.DataFrame:
    """Read the lines of a pair file.

    Args:
        lines: (number from 1, text), as `dwmtl.datasets.text_lines.numbered_lines` gives them; the first is the header.
        name: of the file, for messages.
        expressions: names of the expressions 0, 1, ..., while -1 is neutral; None: cells are the names.
        remap: old and new folder above the photos: the paths must be below the first and are returned below the second.
    Returns:
        Table of `AUTHORS_PAIRS`, in the file's order. `dwmtl.protocol.pairs.interleave_pairs` cuts it into blocks.
    Raises:
        ProtocolError: no header, a line that is no pair or contradicts itself, an index without a name, or a path that
            is not below the old folder; it is named with its line.
    """
    lines = iter(lines)
    number, first = next(lines, (1, ""))
    if first.split() != _HEADER.split():
        raise ProtocolError(f"{name}, line {number}: must be the header, `{_HEADER}`. Got {first.strip()[:80]!r}.")
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
    """The text of a pair file that `parse_pairs` reads as `pairs`; arguments as there.

    Args:
        pairs: table of `AUTHORS_PAIRS`; where `number` is missing (a table of `tables.EXPRESSION_PAIRS`), the rows are
            counted from 0.
    Raises:
        ProtocolError: what `parse_pairs` would refuse, or an expression that has no index; it is named with its line.
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
        raise ProtocolError(f"{where}: {len(words)} fields; must be `{_HEADER}`. Got {line.strip()[:80]!r}.")
    row: dict[str, Any] = dict(zip(AUTHORS_PAIRS, words, strict=True))
    if not re.fullmatch(r"[0-9]{1,9}", words[0]):
        raise ProtocolError(f"{where}: the number must be a whole one from 0. Got {words[0][:40]!r} instead.")
    row["number"] = int(words[0])
    for column in _IS:
        if row[column] not in ("True", "False"):
            raise ProtocolError(f"{where}: {column} must be True or False. Got {row[column][:40]!r} instead.")
        row[column] = row[column] == "True"
    if (row["expression_actual"] == row["expression_required"]) != row["is_required_expression"]:
        raise ProtocolError(
            f"{where}: shows {row['expression_actual']} where {row['expression_required']} is required, and says "
            f"{row['is_required_expression']}. Correct one of the three."
        )
    if expressions is not None:
        row |= {column: _named(where, row[column], expressions) for column in _EXPRESSIONS}
    if remap is not None:
        row |= {column: _moved(where, row[column], *remap) for column in ("input", "reference")}
    return row


def _line(where: str, cells: dict, expressions: Sequence[str] | None, remap: tuple[str, str] | None) -> str:
    if remap is not None:
        cells |= {column: _moved(where, cells[column], *remap) for column in ("input", "reference")}
    if expressions is not None:
        cells |= {column: _index(where, cells[column], expressions) for column in _EXPRESSIONS}
    words = [str(cell) for cell in cells.values()]
    for word in words:
        if len(word.split()) != 1 or not word.isprintable():
            raise ProtocolError(f"{where}: {word[:80]!r} is not one word. Rename it.")
    return "  ".join(words)


def _named(where: str, index: str, expressions: Sequence[str]) -> str:
    if index == "-1":
        return NEUTRAL
    if not re.fullmatch(r"0|[1-9][0-9]{0,8}", index) or int(index) >= len(expressions):
        raise ProtocolError(
            f"{where}: an expression must be one of -1..{len(expressions) - 1}. Got {index[:40]!r} instead."
        )
    return expressions[int(index)]


def _index(where: str, expression: str, expressions: Sequence[str]) -> str:
    if expression == NEUTRAL:
        return "-1"
    if expression not in expressions:
        raise ProtocolError(
            f"{where}: the expression {expression[:40]!r} has no index; there are {', '.join(expressions)}."
        )
    return str(list(expressions).index(expression))


def _moved(where: str, photo: str, old: str, new: str) -> str:
    """The photo's path below `new` in place of `old`; either may be empty."""
    above = "" if not old else old.rstrip("/") + "/"
    below = photo.removeprefix(above)
    if not photo.startswith(above) or below.startswith("/") or not below or ".." in photo.split("/"):
        raise ProtocolError(
            f"{where}: the photo {photo[:80]!r} is not below {old!r}. Give the folder that it is below."
        )
    return below if not new else f"{new.rstrip('/')}/{below}"
