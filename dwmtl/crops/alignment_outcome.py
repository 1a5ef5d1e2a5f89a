"""Counts of an alignment, and the check that a set's photos were readable."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dwmtl.crops.align import Aligned
from dwmtl.errors import UnreadablePhotoError

_MAX_NAMED = 20


@dataclass(frozen=True)
class Outcome:
    """How the photos of a set were cropped.

    Attributes:
        num_by_status: number of photos, the most frequent of `tables.STATUSES` first.
        duration_s: duration of the alignment.
    """

    num_by_status: dict[str, int]
    duration_s: float

    @property
    def num_photos(self) -> int:
        return sum(self.num_by_status.values())

    def __str__(self) -> str:
        """`11 aligned, 1 fallback of 12 photos, 24.0 photos/s`."""
        counts = ", ".join(f"{number} {status}" for status, number in self.num_by_status.items())
        return f"{counts} of {self.num_photos} photos, {self.num_photos / self.duration_s:.1f} photos/s"

    def warnings(self, photos_dir: Path) -> list[str]:
        """Warnings about suspicious counts; `photos_dir` is the set's folder."""
        if self.num_by_status.get("fallback", 0) <= self.num_photos / 2:
            return []
        return [f"no face was found in most photos of {photos_dir}; check align.min_face_px and the set's folder."]


def outcome(aligned: Aligned, *, duration_s: float) -> Outcome:
    """The outcome of a run of `align`."""
    return Outcome(aligned.crops["status"].value_counts().to_dict(), duration_s)


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
