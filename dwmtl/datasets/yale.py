"""The Yale Face Database: `subject01.happy`, GIFs, mostly without an ending, one per condition."""

import re
from pathlib import Path

from dwmtl.datasets.data_set import DataSet, files_of, manifest
from dwmtl.datasets.packs.picture_kind import is_picture
from dwmtl.errors import DataSetError
from dwmtl.tables import PICTURE_ENDINGS

TERMS = "The Yale Face Database: people who posed, free for research."

EXPRESSIONS = {
    "normal": "neutral",
    "happy": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
    "sleepy": "sleepy",
    "wink": "wink",
}
GLASSES = {"glasses": "on", "noglasses": "off"}
OTHER_CONDITIONS = ("centerlight", "leftlight", "rightlight", "glasses", "noglasses")

_NAME = re.compile(rf"(subject\d+)\.(\w+?)(?:{'|'.join(map(re.escape, PICTURE_ENDINGS))})?", re.IGNORECASE)


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """Every photo of the folder.

    A subject's one `normal` photo is the neutral reference of all its expressions, so the subject is the sequence.
    Photos with a condition of light or glasses have no expression: they train identity only, and the task `glasses`
    (on, off) where there is one. That column is empty for the other photos. `num_peak_frames` is ignored.

    Raises:
        DataSetError: a picture with another name, or of a condition that the database does not have.
    """
    rows = []
    for name in files_of(folder):
        match = _NAME.fullmatch(name)
        if match is None:
            if is_picture(folder / name):
                raise DataSetError(f"{folder / name}: must be named like subject01.happy. Rename or remove it.")
            continue  # the folder also holds readme files
        subject, condition = match[1].lower(), match[2].lower()
        if condition not in EXPRESSIONS and condition not in OTHER_CONDITIONS:
            conditions = ", ".join([*EXPRESSIONS, *OTHER_CONDITIONS])
            raise DataSetError(
                f"{folder / name}: not a condition of the Yale Face Database ({conditions}). Rename or remove the file."
            )
        expression = EXPRESSIONS.get(condition, "")
        use = "train" if not expression else "neutral" if expression == "neutral" else "peak"
        rows.append(
            {
                "photo": name,
                "subject": subject,
                "sequence": subject,
                "frame": 0,
                "expression": expression,
                "use": use,
                "glasses": GLASSES.get(condition, ""),
            }
        )
    return DataSet(manifest(rows))
