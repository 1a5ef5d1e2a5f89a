"""FER2013's table, `fer2013.csv`: a row per face, its pixels in a cell."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from dwmtl.errors import DataSetError

TABLE = "fer2013.csv"
EXPRESSIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""By the number in the table."""

USAGES = ("Training", "PublicTest", "PrivateTest")
COLUMNS = ("emotion", "pixels", "Usage")
SIDE_PX = 48

_MAX_LINE = 64_000  # characters; a valid line has under 10,000


class Face(NamedTuple):
    """A row of the table."""

    row: int
    """From 1, without the header."""
    expression: str
    usage: str
    pixels: np.ndarray
    """(48, 48) uint8, grey."""


def face_name(face: Face) -> str:
    """Name of a face in the manifest: `Training/000001`, its part of the set and its row."""
    return f"{face.usage}/{face.row:06d}"


def encoded_picture(face: Face) -> bytes:
    """The face as a PGM file, which holds the pixels as they are."""
    return b"P5 %d %d 255\n" % (SIDE_PX, SIDE_PX) + face.pixels.tobytes()


def faces(csv_path: Path) -> Iterator[Face]:
    """The rows of the table, one at a time.

    Raises:
        DataSetError: the file is missing or not text, or a row is wrong; the message names its line.
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
        raise DataSetError(f"{where}: {_MAX_LINE} characters or more; a face has under 10000. Copy the file again.")
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
        labels = ", ".join(f"{number} {expression}" for number, expression in enumerate(EXPRESSIONS))
        raise DataSetError(f"{where}: emotion must be one of {labels}. Got {cell['emotion'][:40]!r} instead.")
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
        raise DataSetError(f"{where}: a pixel is not a whole number from 0 to 255. Copy the file again.") from None
    return np.frombuffer(grey, np.uint8).reshape(SIDE_PX, SIDE_PX)
