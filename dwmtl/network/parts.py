"""The names of a network's parts: `trunk`, `branches.expression`, `heads`; `heads` holds every task's head."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

Value = TypeVar("Value")


def part_names(tasks: Iterable[str]) -> set[str]:
    """The names of all parts: the trunk, all branches or heads together, and each task's own."""
    return {"trunk", "branches", "heads", *(f"{kind}.{task}" for task in tasks for kind in ("branches", "heads"))}


def smallest_parts(tasks: Iterable[str]) -> list[str]:
    """The parts that hold no other, in the network's order."""
    tasks = list(tasks)
    return ["trunk", *(f"{kind}.{task}" for kind in ("branches", "heads") for task in tasks)]


def value_of_part(name: str, values: Mapping[str, Value], default: Value) -> Value:
    """The value of the smallest part that a part or parameter lies in: `heads.expression` is before `heads`."""
    parts = [part for part in values if f"{name}.".startswith(f"{part}.")]
    return values[max(parts, key=len)] if parts else default
