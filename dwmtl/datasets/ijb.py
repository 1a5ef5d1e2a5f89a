"""IJB-B and IJB-C, 1:1, in the layout that insightface distributes: templates of faces, labelled pairs of templates.

    meta/ijbc_face_tid_mid.txt         1.jpg 1 69544           a face, its template and its medium
    meta/ijbc_name_5pts_score.txt      1.jpg 38.2 51.6 ... 0.9 the same faces in the same order: five landmarks, score
    meta/ijbc_template_pair_label.txt  1 11065 1               two templates, 1: the same person, 0: two
    loose_crop/1.jpg                   the pictures that the landmarks are measured in

A template is a person as the protocol knows them: photos and frames of videos; a medium is a photo or a video.
Source: insightface, recognition/_evaluation_/ijb; Whitelam et al. 2017 (IJB-B), Maze et al. 2018 (IJB-C).
"""

from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dwmtl.datasets.data_set import files_of
from dwmtl.datasets.text_lines import numbered_lines
from dwmtl.errors import DataSetError

CROPS_DIR = "loose_crop"
_MEDIA, _POINTS, _PAIRS = "*_face_tid_mid.txt", "*_name_5pts_score.txt", "*_template_pair_label.txt"
_MOST_PX = 100_000
_MOST_SCORE = 100
_NUM_COORDINATES = 10
_MOST_DIGITS = 18  # fits int64


@dataclass(frozen=True)
class TemplateFaces:
    """N faces of T templates.

    Attributes:
        crops: N names of pictures in `loose_crop`.
        landmarks: (N, 5, 2) float32 xy, pixels of the picture, in the order of `tables.LANDMARKS`.
        confidences: (N,) float32, the detector's, >= 0.
        templates: (N,) int64, row of each face's template.
        media: (N,) int64, number of each face's medium in its template: two faces share it only if they share both.
        template_rows: a template's id -> its row, 0..T-1.
    """

    crops: list[str]
    landmarks: np.ndarray
    confidences: np.ndarray
    templates: np.ndarray
    media: np.ndarray
    template_rows: dict[int, int]


@dataclass(frozen=True)
class TemplatePairs:
    """P pairs of templates: `rows_a`, `rows_b` (P,) int32, rows of templates; `is_same` (P,) bool."""

    rows_a: np.ndarray
    rows_b: np.ndarray
    is_same: np.ndarray


def meta_files(folder: Path) -> list[Path]:
    """The three text files: faces, landmarks, pairs.

    Raises:
        DataSetError: one of them is missing, or there are several.
    """
    paths = []
    for pattern in (_MEDIA, _POINTS, _PAIRS):
        named = sorted((folder / "meta").glob(pattern))
        if len(named) != 1:
            raise DataSetError(f"{folder / 'meta'}: {len(named)} files are named {pattern}; there must be one.")
        paths += named
    return paths


def read_ijb(folder: Path) -> tuple[TemplateFaces, TemplatePairs]:
    """Read the faces and the pairs of a set. 15.6 million pairs take 140 MB.

    Raises:
        DataSetError: a file is missing, a line is malformed, the two files of faces differ, a face has no picture, a
            pair names a template without a face, or there are pairs of one kind only; the message names the line.
    """
    media_path, points_path, pairs_path = meta_files(folder)
    faces = _read_faces(media_path, points_path, frozenset(files_of(folder / CROPS_DIR)))
    return faces, _read_pairs(pairs_path, faces.template_rows, media_path)


def _read_faces(media_path: Path, points_path: Path, pictures: frozenset[str]) -> TemplateFaces:
    crops: list[str] = []
    numbers, confidences, templates, media = array("f"), array("f"), array("q"), array("q")
    template_rows: dict[int, int] = {}
    medium_rows: dict[tuple[int, int], int] = {}
    points = numbered_lines(points_path)
    for number, line in numbered_lines(media_path):
        where = f"{media_path}, line {number}"
        name, template, medium = _fields(where, line, "name template medium", 3)
        if name not in pictures:
            raise DataSetError(f"{where}: names {name[:80]!r}, which is not in {CROPS_DIR}. Complete the set.")
        points_number, points_line = next(points, (0, ""))
        coordinates, confidence = _landmarks(f"{points_path}, line {points_number}", points_line, where, name)
        ids = _whole(where, template), _whole(where, medium)
        crops.append(name)
        numbers.extend(coordinates)
        confidences.append(confidence)
        templates.append(template_rows.setdefault(ids[0], len(template_rows)))
        media.append(medium_rows.setdefault(ids, len(medium_rows)))
    if not crops:
        raise DataSetError(f"{media_path}: holds no faces. Get the set from its source.")
    if extra := next(points, None):
        raise DataSetError(f"{points_path}, line {extra[0]}: {media_path.name} has no face left for it. Remove one.")
    landmarks = np.array(numbers, np.float32).reshape(-1, 5, 2)
    arrays = (np.array(confidences, np.float32), np.array(templates), np.array(media))
    return TemplateFaces(crops, landmarks, *arrays, template_rows)


def _read_pairs(path: Path, template_rows: dict[int, int], media_path: Path) -> TemplatePairs:
    rows_a, rows_b, is_same = array("i"), array("i"), array("b")
    for number, line in numbered_lines(path):
        where = f"{path}, line {number}"
        a, b, label = _fields(where, line, "template template label", 3)
        if label not in ("0", "1"):
            raise DataSetError(f"{where}: the label must be 0 or 1. Got {label[:40]!r} instead.")
        for template, rows in ((a, rows_a), (b, rows_b)):
            row = template_rows.get(_whole(where, template))
            if row is None:
                raise DataSetError(f"{where}: no face of template {template} is in {media_path}. Complete the set.")
            rows.append(row)
        is_same.append(label == "1")
    pairs = TemplatePairs(np.array(rows_a, np.int32), np.array(rows_b, np.int32), np.array(is_same, bool))
    if pairs.is_same.all() or not pairs.is_same.any():
        raise DataSetError(f"{path}: must hold pairs of both kinds, 1 and 0. Get the set from its source.")
    return pairs


def _fields(where: str, line: str, form: str, number: int) -> list[str]:
    fields = line.split()
    if len(fields) != number:
        raise DataSetError(f"{where}: must be `{form}`, {number} fields. Got {len(fields)} instead: {line[:80]!r}.")
    return fields


def _whole(where: str, field: str) -> int:
    if not (field.isascii() and field.isdecimal() and len(field) <= _MOST_DIGITS):
        raise DataSetError(f"{where}: an id must be a whole number from 0. Got {field[:40]!r} instead.")
    return int(field)


def _landmarks(where: str, line: str, media_where: str, name: str) -> tuple[list[float], float]:
    """Ten coordinates and the score of the face that the other file's line names."""
    if not line:
        raise DataSetError(f"{media_where}: {name[:80]!r} has no line of landmarks. Get the set from its source.")
    fields = _fields(where, line, "name, x and y of five landmarks, score", _NUM_COORDINATES + 2)
    if fields[0] != name:
        raise DataSetError(
            f"{where}: is of {fields[0][:80]!r}, and {media_where} of {name[:80]!r}. Both files must have the same "
            "faces in the same order."
        )
    try:
        *coordinates, confidence = map(float, fields[1:])
    except ValueError:
        raise DataSetError(f"{where}: landmarks and score must be numbers. Got {line[:80]!r} instead.") from None
    if not all(abs(value) <= _MOST_PX for value in coordinates):  # NaN is not
        raise DataSetError(f"{where}: landmarks must be pixels, at most {_MOST_PX} from 0. Got {line[:80]!r} instead.")
    if len(set(zip(coordinates[::2], coordinates[1::2], strict=True))) < 2:
        raise DataSetError(f"{where}: its five landmarks are one point. Correct them.")
    if not 0 <= confidence <= _MOST_SCORE:
        raise DataSetError(f"{where}: the score must be from 0 to {_MOST_SCORE}. Got {fields[-1][:40]!r} instead.")
    return coordinates, confidence
