"""FER2013: faces in a table, `fer2013.csv`; pictures of it, `Training/000001_anger.png`. Nobody knows who they are."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
from PIL import Image

from dwmtl.datasets.data_set import DataSet, folders_of, manifest, pictures_of
from dwmtl.errors import DataSetError
from dwmtl.stage import whole_folder

TERMS = "FER2013: photographs found on the web for a competition; nobody on them was asked."

EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""By the number in the table."""

USAGES = ("Training", "PublicTest", "PrivateTest")
COLUMNS = ("emotion", "pixels", "Usage")
SIDE_PX = 48

_MAX_LINE = 64_000  # characters; a right line has under 10,000
_NAME = re.compile(r"\d+_([a-z]+)\.png")


class Face(NamedTuple):
    """A row of the table."""

    row: int
    """From 1, the header not counted."""
    expression: str
    usage: str
    pixels: np.ndarray
    """(48, 48) uint8, grey."""


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """Every picture that `extract` wrote into the folder. `num_peak_frames` has no meaning here.

    The set says nothing of who a face is: every subject is the empty string.

    Raises:
        DataSetError: the table was not extracted, or a folder or picture is called otherwise.
    """
    if (folder / "fer2013.csv").exists():
        raise DataSetError(
            f"{folder}: holds the table, not its pictures. Write them with dwmtl.datasets.fer2013.extract into another "
            "folder and point the set at that."
        )
    rows = []
    for usage in folders_of(folder):
        if usage not in USAGES:
            raise DataSetError(f"{folder / usage}: no part of FER2013 ({', '.join(USAGES)}). Extract the table again.")
        rows += [_row(folder, f"{usage}/{name}") for name in pictures_of(folder / usage)]
    return DataSet(manifest(rows))


def extract(csv_path: Path, out_dir: Path) -> int:
    """Write every face of the table as a picture, `Training/000001_anger.png`: all of them or none.

    Args:
        csv_path: `fer2013.csv`.
        out_dir: a folder that is not there yet.
    Returns:
        Number of pictures.
    Raises:
        DataSetError: `out_dir` exists, or a row of the table is wrong.
    """
    csv_path, out_dir = Path(csv_path), Path(out_dir)
    if out_dir.exists():
        raise DataSetError(f"{out_dir}: is there already. Remove it or choose another folder.")
    num_faces = 0
    with whole_folder(out_dir) as folder:
        for usage in USAGES:
            (folder / usage).mkdir()
        for face in faces(csv_path):
            path = folder / face.usage / f"{face.row:06d}_{face.expression}.png"
            Image.fromarray(face.pixels).save(path)
            num_faces += 1
    return num_faces


def faces(csv_path: Path) -> Iterator[Face]:
    """The rows of the table, one at a time.

    Raises:
        DataSetError: the file is missing or no text, or a row is wrong; it is named with its line.
    """
    csv_path = Path(csv_path)
    try:
        with csv_path.open(encoding="utf-8-sig", newline="") as file:
            yield from _faces(csv_path, file)
    except FileNotFoundError:
        raise DataSetError(f"{csv_path}: no such file. Unpack the set's archive.") from None
    except UnicodeDecodeError as error:
        raise DataSetError(f"{csv_path}: not a text file ({error}). Copy it again.") from None


def _faces(csv_path: Path, file: TextIO) -> Iterator[Face]:
    columns: list[str] = []
    row = 0
    for line, text in enumerate(iter(lambda: file.readline(_MAX_LINE), ""), start=1):
        where = f"{csv_path}, line {line}"
        cells = _cells(where, text)
        if not columns:
            columns = cells
            _check_columns(where, columns)
        elif cells:
            row += 1
            yield _face(where, row, columns, cells)


def _cells(where: str, text: str) -> list[str]:
    if len(text) >= _MAX_LINE:
        raise DataSetError(f"{where}: {_MAX_LINE} characters or more, and a face has under 10000. Copy the file again.")
    try:
        return [cell.strip() for cell in next(csv.reader([text], strict=True), [])]
    except csv.Error as error:
        raise DataSetError(f"{where}: not CSV ({error}). Copy the file again.") from None


def _check_columns(where: str, columns: list[str]) -> None:
    if sorted(columns) != sorted(COLUMNS):
        raise DataSetError(f"{where}: must be {','.join(COLUMNS)}. Got {','.join(columns)[:80]!r} instead.")


def _face(where: str, row: int, columns: list[str], cells: list[str]) -> Face:
    if len(cells) != len(columns):
        raise DataSetError(f"{where}: {len(cells)} cells; must be {','.join(COLUMNS)}. Copy the file again.")
    cell = dict(zip(columns, cells, strict=True))
    if cell["emotion"] not in map(str, range(len(EXPRESSIONS))):
        known = ", ".join(f"{number} {expression}" for number, expression in enumerate(EXPRESSIONS))
        raise DataSetError(f"{where}: emotion must be one of {known}. Got {cell['emotion'][:40]!r} instead.")
    if cell["Usage"] not in USAGES:
        raise DataSetError(f"{where}: Usage must be one of {', '.join(USAGES)}. Got {cell['Usage'][:40]!r} instead.")
    return Face(row, EXPRESSIONS[int(cell["emotion"])], cell["Usage"], _pixels(where, cell["pixels"]))


def _pixels(where: str, text: str) -> np.ndarray:
    values = text.split()
    if len(values) != SIDE_PX**2:
        raise DataSetError(f"{where}: {len(values)} pixels; must be {SIDE_PX}x{SIDE_PX}. Copy the file again.")
    try:
        grey = bytearray(map(int, values))
    except ValueError:
        raise DataSetError(f"{where}: a pixel is no whole number from 0 to 255. Copy the file again.") from None
    return np.frombuffer(grey, np.uint8).reshape(SIDE_PX, SIDE_PX)


def _row(folder: Path, photo: str) -> dict:
    match = _NAME.fullmatch(photo.split("/")[1])
    if match is None or match[1] not in EXPRESSIONS:
        known = ", ".join(EXPRESSIONS)
        raise DataSetError(f"{folder / photo}: must be called like 000001_anger.png, anger one of {known}. Rename it.")
    role = "neutral" if match[1] == "neutral" else "peak"
    return {"photo": photo, "subject": "", "expression": match[1], "role": role}
