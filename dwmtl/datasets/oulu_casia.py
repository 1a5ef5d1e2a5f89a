"""Oulu-CASIA: `VL/Strong/P001/Anger/000.jpeg`, sequences from neutral to peak."""

import re
from pathlib import Path

from dwmtl.datasets.data_set import DataSet, folders_of, manifest, pictures_of
from dwmtl.errors import DataSetError

EXPRESSIONS = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """Every frame of every sequence below `folder`, which holds `VL/Strong` or the subjects themselves.

    The first frame of a sequence is neutral, the last `num_peak_frames` show its expression, the others are unused.

    Raises:
        DataSetError: a sequence with another name, or too short for the frame rule.
    """
    camera = "VL/Strong/" if (folder / "VL" / "Strong").is_dir() else ""
    rows = []
    for subject in folders_of(folder / camera):
        for name in folders_of(folder / camera / subject):
            sequence = f"{camera}{subject}/{name}"
            if name.capitalize() not in EXPRESSIONS:
                raise DataSetError(f"{folder / sequence}: no expression of Oulu-CASIA ({', '.join(EXPRESSIONS)}).")
            rows += _frames(folder, sequence, subject, name.lower(), num_peak_frames)
    return DataSet(manifest(rows))


def _frame_number(name: str) -> tuple[int, str]:
    """Frames are counted, not spelled: `9.jpeg` comes before `10.jpeg`."""
    digits = re.findall(r"\d+", name)
    return (int(digits[-1][:12]) if digits else -1), name


def _frames(folder: Path, sequence: str, subject: str, expression: str, num_peak_frames: int) -> list[dict]:
    """A row a frame of one sequence."""
    names = sorted(pictures_of(folder / sequence), key=_frame_number)
    if len(names) < 1 + num_peak_frames:
        raise DataSetError(
            f"{folder / sequence}: {len(names)} frames; a neutral one and {num_peak_frames} peak frames are needed. "
            f"Lower index.num_peak_frames in params.yaml or complete the sequence."
        )
    first_peak = len(names) - num_peak_frames
    rows = []
    for frame, name in enumerate(names):
        role = "neutral" if frame == 0 else "peak" if frame >= first_peak else "unused"
        rows.append(
            {
                "photo": f"{sequence}/{name}",
                "subject": subject,
                "sequence": sequence,
                "frame": frame,
                "expression": {"neutral": "neutral", "peak": expression}.get(role, ""),
                "role": role,
            }
        )
    return rows
