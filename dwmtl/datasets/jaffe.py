"""JAFFE, ten Japanese women: `KA.AN1.39.tiff`, a photo of subject KA showing anger."""

import re
from pathlib import Path

from dwmtl.datasets.data_set import DataSet, manifest, pictures_of
from dwmtl.errors import DataSetError

TERMS = "JAFFE: women who posed, from the set's authors on request, for research that is not commercial."

EXPRESSIONS = {
    "AN": "anger",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happiness",
    "NE": "neutral",
    "SA": "sadness",
    "SU": "surprise",
}
"""By the letters in a photo's name."""

_NAME = re.compile(r"([A-Z]{2})\.([A-Z]{2})\d+\.\d+(\.\w+)?")


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """Every photo of the folder. `num_peak_frames` is ignored.

    The photos belong to no sequence: each neutral photo of a subject is a reference for all its expressions.

    Raises:
        DataSetError: a picture with another name.
    """
    return DataSet(manifest([_row(folder, name) for name in pictures_of(folder)]))


def _row(folder: Path, name: str) -> dict:
    match = _NAME.fullmatch(name)
    if match is None or match[2] not in EXPRESSIONS:
        letters = ", ".join(EXPRESSIONS)
        raise DataSetError(f"{folder / name}: must be named like KA.AN1.39.tiff, AN one of {letters}. Rename it.")
    expression = EXPRESSIONS[match[2]]
    use = "neutral" if expression == "neutral" else "peak"
    return {"photo": name, "subject": match[1], "expression": expression, "use": use}
