"""FER2013 as it is given out, `fer2013.csv`: faces of 48x48 pixels in a table. Nobody knows who they are."""

from pathlib import Path

from dwmtl.datasets.data_set import DataSet, manifest
from dwmtl.datasets.packs.fer2013_table import TABLE, Face, face_name, faces

TERMS = "FER2013: photographs found on the web for a competition; nobody on them was asked."


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """Every row of the table, named `Training/000001` by its part and row. `num_peak_frames` has no meaning here.

    The set says nothing of who a face is: every subject is the empty string.

    Raises:
        DataSetError: the table is missing or no text, or a row is wrong; it is named with its line.
    """
    return DataSet(manifest([_row(face) for face in faces(folder / TABLE)]))


def _row(face: Face) -> dict:
    use = "neutral" if face.expression == "neutral" else "peak"
    return {"photo": face_name(face), "subject": "", "expression": face.expression, "use": use}
