"""FER2013 as distributed, `fer2013.csv`: faces of 48x48 pixels in a table, without identities."""

from pathlib import Path

from dwmtl.datasets.data_set import DataSet, manifest
from dwmtl.datasets.packs.fer2013_table import TABLE, Face, face_name, faces

TERMS = "FER2013: photographs found on the web for a competition; nobody on them was asked."


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """Every row of the table, named `Training/000001` by its part and row. `num_peak_frames` is ignored.

    The set has no identities: every subject is the empty string.

    Raises:
        DataSetError: the table is missing or not text, or a row is wrong; the message names its line.
    """
    return DataSet(manifest([_row(face) for face in faces(folder / TABLE)]))


def _row(face: Face) -> dict:
    use = "neutral" if face.expression == "neutral" else "peak"
    return {"photo": face_name(face), "subject": "", "expression": face.expression, "use": use}
