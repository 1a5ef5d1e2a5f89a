"""AffectNet: `train_set/images/123.jpg` and `train_set/annotations/123_exp.npy`, without identities.

`123_val.npy` and `123_aro.npy` beside it are read too: valence and arousal. `val_set` counts as the official test
part, as in papers: the authors' own test part is not published.
"""

import io
import math
from pathlib import Path

import numpy as np

from dwmtl.datasets.data_set import DataSet, files_of, folders_of, manifest, pictures_of
from dwmtl.errors import DataSetError

TERMS = "AffectNet: photographs found on the web, from its authors on a signed agreement, for research."

EXPRESSIONS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
"""By the number in an annotation."""

PARTS = {"train_set": "train", "val_set": "test"}
"""Folder -> official part."""

VALUES = {"valence": "_val.npy", "arousal": "_aro.npy"}
"""Column -> ending of the annotation that holds it; a picture may lack it."""

_ENDING = "_exp.npy"
_NO_VALUE = -2  # of a picture whose expression is uncertain, or without a face
_MAX_BYTES = 4096  # an annotation has about 130


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """Every picture of `train_set` and `val_set` with its label; one of the two may be missing.

    Valence and arousal, from -1 to 1, are further columns where there are annotations of them; empty where -2 stands.
    The set has no identities: every subject is the empty string. `num_peak_frames` is ignored.

    Raises:
        DataSetError: both parts are missing, a picture has no annotation, an annotation has no picture or no label, or
            a value is out of range.
    """
    parts = [part for part in folders_of(folder) if part in PARTS]
    if not parts:
        raise DataSetError(f"{folder}: holds neither {' nor '.join(PARTS)}. Point the set at the folder that does.")
    return DataSet(manifest([row for part in parts for row in _rows(folder, part)]))


def _rows(folder: Path, part: str) -> list[dict]:
    files = set(files_of(folder / part / "annotations"))
    annotations = {name for name in files if name.endswith(_ENDING)}
    rows = []
    for name in pictures_of(folder / part / "images"):
        annotation = Path(name).stem + _ENDING
        if annotation not in annotations:
            raise DataSetError(f"{folder / part / 'images' / name}: has no annotation {annotation}. Complete the set.")
        annotations.remove(annotation)
        expression = _expression(folder / part / "annotations" / annotation)
        use = "neutral" if expression == "neutral" else "peak"
        values = {
            column: _affect(folder / part / "annotations" / (Path(name).stem + ending))
            for column, ending in VALUES.items()
            if Path(name).stem + ending in files
        }
        photo = {"photo": f"{part}/images/{name}", "subject": "", "expression": expression, "use": use}
        rows.append(photo | {"part": PARTS[part]} | values)
    if annotations:
        raise DataSetError(f"{folder / part / 'annotations' / min(annotations)}: has no picture. Complete the set.")
    return rows


def _expression(annotation: Path) -> str:
    label = str(_label(annotation))
    if label not in map(str, range(len(EXPRESSIONS))):
        labels = ", ".join(f"{number} {expression}" for number, expression in enumerate(EXPRESSIONS))
        raise DataSetError(f"{annotation}: must hold one of {labels}. Got {label[:40]!r} instead.")
    return EXPRESSIONS[int(label)]


def _affect(annotation: Path) -> str:
    """A value of valence or arousal as a cell of a table."""
    label = str(_label(annotation))
    try:
        value = float(label)
    except ValueError:
        value = math.nan
    if not (-1 <= value <= 1 or value == _NO_VALUE):
        raise DataSetError(f"{annotation}: must hold a number from -1 to 1, or -2. Got {label[:40]!r} instead.")
    return "" if value == _NO_VALUE else f"{value:.6g}"


def _label(annotation: Path) -> object:
    """The only value of an .npy file, text or a number.

    The file's header is not trusted: the number of bytes is bounded before it is parsed, and nothing is unpickled.
    """
    with annotation.open("rb") as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise DataSetError(f"{annotation}: more than {_MAX_BYTES} bytes for one label. Copy it again.")
    try:
        return _value(io.BytesIO(content))
    except Exception as error:  # numpy's reader of headers raises whatever its tokenizer and its evaluation do
        raise DataSetError(f"{annotation}: not an .npy file of one label ({error}). Copy it again.") from None


def _value(file: io.BytesIO) -> object:
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("not of version 1.0")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject or dtype.kind not in "Uiuf" or shape not in ((), (1,)):
        raise ValueError(f"{dtype} of shape {shape}")
    value = np.frombuffer(file.read(), dtype, count=1)[0]
    return int(value) if dtype.kind != "U" and value == int(value) else value
