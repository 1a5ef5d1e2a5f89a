"""Typed results as JSON: writes, reads and checks dataclasses. Knows no particular result."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from dwmtl.errors import TableError
from dwmtl.files import write_json

Result = TypeVar("Result")


def write_result(result: Any, path: Path) -> None:
    """Write a dataclass as JSON, its fields as keys; the same result gives the same bytes."""
    write_json(asdict(result), path)


def read_result(kind: type[Result], path: Path) -> Result:
    """A result that a stage wrote, checked against its dataclass; keys that the dataclass lacks are ignored.

    Raises:
        TableError: the file is missing, is not JSON, or does not match the dataclass.
    """
    try:
        return TypeAdapter(kind).validate_json(Path(path).read_bytes())
    except FileNotFoundError:
        raise TableError(f"{path}: no such file. Run `dvc repro` to make it.") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise TableError(
            f"{path}: {key}{': ' if key else ''}{first['msg']}. Run `dvc repro` to make it again."
        ) from None


def flatten(values: Mapping[str, Any], *, separator: str = "/", prefix: str = "") -> dict[str, Any]:
    """Nested dicts as one level, with joined keys: `{"a": {"b": 1}}` -> `{"a/b": 1}`."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, separator=separator, prefix=f"{prefix}{key}{separator}")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
