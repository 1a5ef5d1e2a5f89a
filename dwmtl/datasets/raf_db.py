"""RAF-DB, basic expressions: `Image/aligned/train_00001_aligned.jpg` and a list of labels; without identities."""

import re
from pathlib import Path

from dwmtl.datasets.data_set import DataSet, NamedPictures, manifest, pictures_of
from dwmtl.datasets.text_lines import numbered_lines
from dwmtl.errors import DataSetError

TERMS = "RAF-DB: photographs found on the web, from its authors on request, for research that is not commercial."

EXPRESSIONS = {
    "1": "surprise",
    "2": "fear",
    "3": "disgust",
    "4": "happiness",
    "5": "sadness",
    "6": "anger",
    "7": "neutral",
}
"""By the number in the list."""

IMAGES = "Image/aligned"
LABELS = "EmoLabel/list_patition_label.txt"  # the set spells it so

_LINE = re.compile(r"((train|test)_\w+)\.\w+\s+(\S+)")


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """Every aligned picture with its label. `num_peak_frames` is ignored.

    The set has no identities: every subject is the empty string.

    Raises:
        DataSetError: a line that is not a label, a label without a picture, or a picture without a label.
    """
    pictures = NamedPictures(folder)
    unlabelled = {f"{IMAGES}/{name}" for name in pictures_of(folder / IMAGES)}
    rows = []
    line_of: dict[str, int] = {}
    for number, line in numbered_lines(folder / LABELS):
        where = f"{folder / LABELS}, line {number}"
        name, expression, part = _label(where, line.strip())
        photo = pictures.find(where, IMAGES, name)
        first = line_of.setdefault(photo, number)
        if first != number:
            raise DataSetError(f"{where}: labels the picture of line {first} again. Remove one of them.")
        unlabelled.remove(photo)
        use = "neutral" if expression == "neutral" else "peak"
        rows.append({"photo": photo, "subject": "", "expression": expression, "use": use, "part": part})
    if unlabelled:
        raise DataSetError(f"{folder / min(unlabelled)}: has no label in {LABELS}. Copy the list again.")
    return DataSet(manifest(rows))


def _label(where: str, line: str) -> tuple[str, str, str]:
    """Name of the aligned picture without its ending, its expression, and its official part: train or test."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise DataSetError(
            f"{where}: must be like `train_00001.jpg 5` or `test_0001.jpg 5`. Got {line[:80]!r} instead."
        )
    if match[3] not in EXPRESSIONS:
        labels = ", ".join(f"{number} {expression}" for number, expression in EXPRESSIONS.items())
        raise DataSetError(f"{where}: the label must be one of {labels}. Got {match[3][:40]!r} instead.")
    return f"{match[1]}_aligned", EXPRESSIONS[match[3]], match[2]
