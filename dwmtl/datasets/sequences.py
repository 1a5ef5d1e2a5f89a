"""The frame rule of expression sequences, which go from neutral to peak. Knows no data set's names."""

import re
from pathlib import Path

from dwmtl.datasets.data_set import pictures_of
from dwmtl.errors import DataSetError


def frames_of(sequence: Path) -> list[str]:
    """Names of a sequence's pictures in the order of the last number in each: `9.jpeg` comes before `10.jpeg`."""
    return sorted(pictures_of(sequence), key=_frame_number)


def frame_uses(sequence: Path, num_frames: int, *, num_peak_frames: int) -> list[str]:
    """The first frame is neutral, the last `num_peak_frames` show the expression, the others are unused.

    Raises:
        DataSetError: the sequence is too short to have both.
    """
    if num_frames < 1 + num_peak_frames:
        raise DataSetError(
            f"{sequence}: {num_frames} frames; must have a neutral frame and {num_peak_frames} peak frames. "
            f"Lower index.num_peak_frames in params.yaml, or complete the sequence."
        )
    return ["neutral"] + ["unused"] * (num_frames - 1 - num_peak_frames) + ["peak"] * num_peak_frames


def frame_rows(sequence: str, subject: str, expression: str, names: list[str], uses: list[str]) -> list[dict]:
    """A row per frame of one sequence.

    Args:
        sequence: path below the set's folder, with forward slashes.
        expression: what the frames of the use `peak` show.
        names, uses: of the frames, in order.
    """
    shown = {"neutral": "neutral", "peak": expression}
    return [
        {
            "photo": f"{sequence}/{name}",
            "subject": subject,
            "sequence": sequence,
            "frame": frame,
            "expression": shown.get(use, ""),
            "use": use,
        }
        for frame, (name, use) in enumerate(zip(names, uses, strict=True))
    ]


def _frame_number(name: str) -> tuple[int, str]:
    digits = re.findall(r"\d+", name)
    return (int(digits[-1][:12]) if digits else -1), name
