"""Oulu-CASIA: `VL/Strong/P001/Anger/000.jpeg`, sequences from neutral to peak."""

from pathlib import Path

from dwmtl.datasets.data_set import DataSet, folders_of, manifest
from dwmtl.datasets.sequences import frame_rows, frame_uses, frames_of
from dwmtl.errors import DataSetError

TERMS = "Oulu-CASIA: people who posed, from its universities on a signed licence, for research."

EXPRESSIONS = ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")
CAMERAS = ("VL", "NI")  # visible light, near infrared
LIGHTS = ("Strong", "Weak", "Dark")


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """Every frame of every sequence of one camera and light; `folder` holds cameras, or lights, or subjects.

    If there are several cameras and lights, `VL/Strong` is read (`Strong` where the folder is that of a camera).
    The first frame of a sequence is neutral, the last `num_peak_frames` show its expression, the others are unused.

    Raises:
        DataSetError: several cameras and lights without `VL/Strong`, or a sequence with another name or too short for
            the frame rule.
    """
    camera = _camera_and_light(folder)
    rows = []
    for subject in folders_of(folder / camera):
        for name in folders_of(folder / camera / subject):
            sequence = f"{camera}{subject}/{name}"
            if name.capitalize() not in EXPRESSIONS:
                raise DataSetError(f"{folder / sequence}: not an expression of Oulu-CASIA ({', '.join(EXPRESSIONS)}).")
            frames = frames_of(folder / sequence)
            uses = frame_uses(folder / sequence, len(frames), num_peak_frames=num_peak_frames)
            rows += frame_rows(sequence, subject, name.lower(), frames, uses)
    return DataSet(manifest(rows))


def _camera_and_light(folder: Path) -> str:
    """The part of the sequences' paths before the subject, such as `VL/Strong/`; empty where there is none."""
    cameras = [f"{name}/" for name in folders_of(folder) if name in CAMERAS]
    lights = [
        f"{camera}{light}/" for camera in cameras or [""] for light in folders_of(folder / camera) if light in LIGHTS
    ]
    usual = "VL/Strong/" if cameras else "Strong/"
    if len(lights) > 1 and usual not in lights:
        raise DataSetError(
            f"{folder}: holds {', '.join(lights)} but not {usual}. Point the set's folder at one of them."
        )
    return usual if usual in lights else "".join(lights)
