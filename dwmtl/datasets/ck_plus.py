"""CK+ as distributed: `cohn-kanade-images/S005/001/S005_001_00000001.png`, and a label file per labelled sequence."""

import re
from pathlib import Path

from dwmtl.datasets.data_set import DataSet, files_of, folders_of, manifest
from dwmtl.datasets.sequences import frame_rows, frame_uses, frames_of
from dwmtl.datasets.text_lines import numbered_lines
from dwmtl.errors import DataSetError

TERMS = "CK+: people who posed, from the set's authors on a signed agreement, for research."

EXPRESSIONS = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
"""By the number in a label file."""

IMAGES, LABELS = "cohn-kanade-images", "Emotion"

_LABEL_NAME = re.compile(r"(S\d+_\d+_\d+)_emotion\.txt", re.IGNORECASE)
_LABEL = re.compile(r"[0-9](\.0*)?(e[+-]?0+)?")


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """Every frame of every sequence below `cohn-kanade-images`, labelled by `Emotion`.

    The first frame of a labelled sequence is neutral, the last `num_peak_frames` show its expression, the others are
    unused. A sequence without a label (266 of 593: its peak fits no prototype) is unused, including its neutral frame,
    so that neutral photos and peaks keep their ratio of 1 to `num_peak_frames`. Of a sequence labelled 0 only the
    neutral frame is used.

    Raises:
        DataSetError: a label file without a label or without its frame, two label files in one folder, a labelled
            sequence that is too short for the frame rule, or a picture of another sequence.
    """
    label_files = _label_files(folder)
    rows = []
    for subject in folders_of(folder / IMAGES):
        for session in folders_of(folder / IMAGES / subject):
            sequence = f"{IMAGES}/{subject}/{session}"
            names = _frames(folder / sequence, f"{subject}_{session}_")
            label_file = label_files.pop((subject, session), None)
            expression = "" if label_file is None else _expression(label_file, sequence, names)
            uses = _uses(folder / sequence, expression, len(names), num_peak_frames)
            rows += frame_rows(sequence, subject, expression, names, uses)
    if label_files:
        (subject, session), label_file = min(label_files.items())
        raise DataSetError(f"{label_file}: labels a sequence without pictures, {IMAGES}/{subject}/{session}. Copy it.")
    return DataSet(manifest(rows))


def _frames(sequence: Path, start: str) -> list[str]:
    """Names of a sequence's frames in order; refuses other pictures, which would count as its first or last frame."""
    names = frames_of(sequence)
    for name in names:
        if not name.startswith(start):
            raise DataSetError(
                f"{sequence / name}: not a frame of the sequence, such as {start}00000001.png. Remove it."
            )
    return names


def _uses(sequence: Path, expression: str, num_frames: int, num_peak_frames: int) -> list[str]:
    if expression == "":
        return ["unused"] * num_frames
    if expression == "neutral":
        return ["neutral"] + ["unused"] * (num_frames - 1)
    return frame_uses(sequence, num_frames, num_peak_frames=num_peak_frames)


def _label_files(folder: Path) -> dict[tuple[str, str], Path]:
    """The label file of each labelled (subject, session)."""
    label_files = {}
    for subject in folders_of(folder / LABELS):
        for session in folders_of(folder / LABELS / subject):
            labels = folder / LABELS / subject / session
            names = [name for name in files_of(labels) if name.lower().endswith(".txt")]
            if len(names) > 1:
                raise DataSetError(f"{labels}: {len(names)} label files ({', '.join(names)}). Keep the right one.")
            if names:
                label_files[subject, session] = labels / names[0]
    return label_files


def _expression(label_file: Path, sequence: str, names: list[str]) -> str:
    """The expression in a label file, checked against the sequence that it labels.

    Raises:
        DataSetError: the file is not named after a frame of the sequence, or does not hold exactly one label.
    """
    match = _LABEL_NAME.fullmatch(label_file.name)
    if match is None:
        raise DataSetError(f"{label_file}: a label file must be named like S005_001_00000011_emotion.txt. Rename it.")
    if not names:
        raise DataSetError(f"{label_file}: labels a sequence without pictures, {sequence}. Copy it.")
    if match[1] not in {Path(name).stem for name in names}:
        raise DataSetError(f"{label_file}: labels a frame that {sequence} does not have. Complete the sequence.")
    lines = list(numbered_lines(label_file))
    if len(lines) != 1:
        raise DataSetError(f"{label_file}: {len(lines)} lines; must be one, as `3.0000000e+00`. Copy it again.")
    return _expression_of_number(f"{label_file}, line {lines[0][0]}", lines[0][1].strip())


def _expression_of_number(where: str, text: str) -> str:
    if not _LABEL.fullmatch(text) or int(text[0]) >= len(EXPRESSIONS):
        labels = ", ".join(f"{number} {expression}" for number, expression in enumerate(EXPRESSIONS))
        raise DataSetError(f"{where}: must be one of {labels}. Got {text[:40]!r} instead.")
    return EXPRESSIONS[int(text[0])]
