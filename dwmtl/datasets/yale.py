"""The Yale Face Database: `subject01.happy`, GIFs without an ending, one photo a subject and condition."""

import re
from pathlib import Path

from dwmtl.datasets.data_set import DataSet, files_of, manifest
from dwmtl.errors import DataSetError

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

_NAME = re.compile(r"(subject\d+)\.(\w+)(?:\.gif)?")


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """Every photo of the folder.

    A subject's one `normal` photo is the neutral reference of all its expressions, so the subject is the sequence.
    Lights and glasses carry no expression: they train identity only, and the column `glasses` (on, off) where a task
    asks for it; of the other photos the set does not say. `num_peak_frames` has no meaning here.

    Raises:
        DataSetError: a condition that the database does not have.
    """
    rows = []
    for name in files_of(folder):
        match = _NAME.fullmatch(name)
        if match is None:
            continue  # readme files lie among the photos
        subject, condition = match.groups()
        if condition not in EXPRESSIONS and condition not in OTHER_CONDITIONS:
            known = ", ".join([*EXPRESSIONS, *OTHER_CONDITIONS])
            raise DataSetError(f"{folder / name}: no condition of the Yale Face Database ({known}).")
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
