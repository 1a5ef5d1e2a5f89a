"""Reads a YAML text as DVC does, in bounded time. Knows nothing of what it holds."""

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from dwmtl.errors import ParamsError

_MAX_DEPTH = 50
"""Of brackets in brackets: the YAML reader's time grows with its square."""
_MAX_VALUES = 1_000_000
"""Of a file, aliases counted as often as they are named; `labels.folds` may name many thousands of subjects."""


def parse_yaml(text: str, path: Path) -> Any:
    """The values of a YAML text as DVC reads them (1e-4 is a number), in bounded time; `path` names the file in errors.

    Raises:
        ParamsError: it is not YAML, nested too deeply, or of too many values.
    """
    if _depth_of_brackets(text) > _MAX_DEPTH:
        raise ParamsError(f"{path}: not YAML: brackets in brackets, more than {_MAX_DEPTH} deep. Close them.")
    try:
        values = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, OverflowError, RecursionError) as error:  # also of a month 13
        raise ParamsError(f"{path}: not YAML: {error}") from None
    _require_few_values(values, path)
    return values


def _depth_of_brackets(text: str) -> int:
    """The most that are open at once; those in a comment do not count."""
    depth = most = 0
    for bracket in re.findall(r"[][{}]", re.sub(r"(?m)(?:^|\s)#.*", "", text)):
        depth = depth + 1 if bracket in "[{" else max(depth - 1, 0)
        most = max(most, depth)
    return most


def _require_few_values(values: object, path: Path) -> None:
    """Refuse aliases of aliases, which multiply: nine lines of nine are 387 million values, and one may hold itself."""
    left, num_values = [values], 0
    while left:
        value = left.pop()
        num_values += 1
        if num_values > _MAX_VALUES:
            raise ParamsError(
                f"{path}: more than {_MAX_VALUES} values. Write out what its aliases (`*name`) stand for."
            )
        if isinstance(value, dict):
            left.extend(value.values())
        elif isinstance(value, list | tuple | set):
            left.extend(value)
