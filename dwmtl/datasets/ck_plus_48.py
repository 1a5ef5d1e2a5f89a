"""The repack of CK+'s peak frames in 48x48: `anger/S010_004_00000017.png`."""

import re
from pathlib import Path

from dwmtl.datasets.data_set import DataSet, folders_of, manifest, pictures_of
from dwmtl.errors import DataSetError

TERMS = "A repack of CK+: CK+'s signed agreement, for research, holds for it too."

EXPRESSIONS = {
    "anger": "anger",
    "contempt": "contempt",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "sadness": "sadness",
    "surprise": "surprise",
}
"""By the folder's name."""

_NAME = re.compile(r"(S\d+)_(\d+)_(?!0+(?:\.|$))(\d{1,9})(?:\.\w+)?")  # frames are counted from 1


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """Every picture one folder down. All are peak frames; the repack holds no others.

    The sequence is `S010/004`; the frame is its number in the original sequence. `num_peak_frames` is ignored.

    Raises:
        DataSetError: a folder or a picture's name is not one of the repack, or a sequence is in two folders.
    """
    rows: list[dict] = []
    for name in folders_of(folder):
        if name not in EXPRESSIONS:
            raise DataSetError(
                f"{folder / name}: not an expression of the repack ({', '.join(EXPRESSIONS)}). Rename it."
            )
        rows += [_row(folder, f"{name}/{picture}", EXPRESSIONS[name]) for picture in pictures_of(folder / name)]
    _refuse_two_expressions(folder, rows)
    return DataSet(manifest(rows))


def _row(folder: Path, photo: str, expression: str) -> dict:
    match = _NAME.fullmatch(photo.split("/")[1])
    if match is None:
        raise DataSetError(f"{folder / photo}: must be named like S010_004_00000017.png. Rename it.")
    subject, session, frame = match.groups()
    return {
        "photo": photo,
        "subject": subject,
        "sequence": f"{subject}/{session}",
        "frame": int(frame) - 1,
        "expression": expression,
        "use": "peak",
    }


def _refuse_two_expressions(folder: Path, rows: list[dict]) -> None:
    first: dict[str, dict] = {}
    for row in rows:
        other = first.setdefault(row["sequence"], row)
        if other["expression"] != row["expression"]:
            raise DataSetError(
                f"{folder / row['photo']}: sequence {row['sequence']} is in the folder of another expression, too: "
                f"{other['photo']}. Remove the wrong ones."
            )
