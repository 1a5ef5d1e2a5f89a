"""FER2013 as distributed, `fer2013.csv`: faces of 48x48 pixels in a table, without identities."""

from itertools import zip_longest
from pathlib import Path
from typing import Literal

from dwmtl.datasets import fer_plus
from dwmtl.datasets.data_set import DataSet, manifest
from dwmtl.datasets.packs.fer2013_table import TABLE, Face, face_name, faces
from dwmtl.errors import DataSetError
from dwmtl.tables import VOTES

TERMS = "FER2013: photographs found on the web for a competition; nobody on them was asked."

PARTS = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
"""Usage -> official part."""


def read(folder: Path, *, num_peak_frames: int, fer_plus_labels: Literal["majority", "votes"] | None = None) -> DataSet:
    """Every row of the table, named `Training/000001` by its part and row. `num_peak_frames` is ignored.

    The set has no identities: every subject is the empty string.

    Args:
        fer_plus_labels: majority: the expression that most people saw, from `fer2013new.csv` beside the table; a face
            without a majority is unused. votes: as well, and columns `tables.VOTES` + expression with the votes for
            what more than one person saw. None: the labels of the table.
    Raises:
        DataSetError: a table is missing or not text, a row is wrong, or the tables have not the same rows; the message
            names the line.
    """
    if fer_plus_labels is None:
        return DataSet(manifest([_row(face, face.expression) for face in faces(folder / TABLE)]))
    rows: list[dict] = []
    for face, label in zip_longest(faces(folder / TABLE), fer_plus.votes(folder / fer_plus.TABLE)):
        if face is None or label is None or label[0] != face.usage:
            raise DataSetError(
                f"{folder / fer_plus.TABLE}: its rows must follow those of {TABLE}, with the same Usage; row "
                f"{len(rows) + 1} does not. Copy both tables again."
            )
        row = _row(face, fer_plus.majority(label[1]))
        rows.append(row if fer_plus_labels == "majority" else row | _votes(label[1]))
    return DataSet(manifest(rows))


def _row(face: Face, expression: str) -> dict:
    use = {"": "unused", "neutral": "neutral"}.get(expression, "peak")
    photo = {"photo": face_name(face), "subject": "", "expression": expression, "use": use}
    return photo | {"part": PARTS[face.usage]}


def _votes(of: dict[str, int]) -> dict[str, str]:
    counted = fer_plus.without_outliers(of)
    return {VOTES + name: str(counted.get(name, 0)) for name in fer_plus.EXPRESSIONS}
