"""The error for photos that cannot be read, of a set of which every photo is evaluated."""

from pathlib import Path

import pandas as pd

from dwmtl.errors import UnreadablePhotoError

_MAX_NAMED = 20


def require_all_readable(failures: pd.DataFrame, photos_dir: Path, *, name: str, failures_path: Path) -> None:
    """Raise if photos of a set cannot be decoded although every photo of it is evaluated.

    Args:
        failures: columns `tables.FAILURES`.
        photos_dir: the set's folder.
        name: of the set.
        failures_path: the table that lists them all, for the message.
    Raises:
        UnreadablePhotoError: a photo is unreadable; the message names the first ones.
    """
    unreadable = failures[failures["status"] == "unreadable"]
    if unreadable.empty:
        return
    lines = [f"{photos_dir / row.photo}: {row.reason}" for row in unreadable.head(_MAX_NAMED).itertuples()]
    if len(unreadable) > len(lines):
        lines.append(f"... and {len(unreadable) - len(lines)} more: {failures_path}")
    files = "\n  ".join(lines)
    raise UnreadablePhotoError(
        f"{len(unreadable)} photos of the {name} set cannot be read, and every photo of it is evaluated:\n  {files}"
    )
