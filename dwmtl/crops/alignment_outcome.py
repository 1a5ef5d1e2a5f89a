"""Counts of an alignment, for its log line and warnings."""

from dataclasses import dataclass
from pathlib import Path

from dwmtl.crops.align import Aligned


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
