"""Counts and names the pictures in a set's folder that its adapter did not take. Decodes none."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from dwmtl.datasets.packs.picture_kind import is_picture
from dwmtl.set_facts import PassedOver

_MAX_EXAMPLES = 5


def passed_over(folder: Path, photos: Collection[str]) -> PassedOver:
    """The pictures in a set's folder, see `is_picture`, that are not photos of the set.

    Hidden files and folders, and those that macOS adds (`__MACOSX`), are ignored.

    Args:
        photos: paths below the folder, with forward slashes.
    Returns:
        Their number, and an example from each of the first folders that have any.
    """
    taken = frozenset(photos)
    num = 0
    first_of: dict[str, str] = {}
    for path in _files_below(folder):
        if path not in taken and is_picture(folder / path):
            num += 1
            place = path.partition("/")[0]
            first_of[place] = min(path, first_of.get(place, path))
    return PassedOver(num_pictures=num, examples=[first_of[place] for place in sorted(first_of)[:_MAX_EXAMPLES]])


def _files_below(folder: Path) -> Iterator[str]:
    """Paths with forward slashes; a folder that links lead to repeatedly is listed once."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__MACOSX"]
        below = Path(place).relative_to(folder)
        yield from ((below / name).as_posix() for name in names if not name.startswith("."))
