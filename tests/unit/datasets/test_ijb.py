from pathlib import Path

import numpy as np
import pytest

from dwmtl.datasets.ijb import read_ijb
from dwmtl.errors import DataSetError

MEDIA = ["1.jpg 10 69", "2.jpg 10 69", "3.jpg 7 69", "1.jpg 7 70"]
POINTS = [f"{line.split()[0]} 30.5 40 60 40 45 55 35 70 55 70 0.9{row}" for row, line in enumerate(MEDIA)]
PAIRS = ["10 7 1", "7 10 0"]


@pytest.fixture
def ijb(tmp_path) -> Path:
    (tmp_path / "loose_crop").mkdir()
    (tmp_path / "meta").mkdir()
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        (tmp_path / "loose_crop" / name).write_bytes(b"\xff\xd8\xff")
    write(tmp_path)
    return tmp_path


def write(folder: Path, *, media=MEDIA, points=POINTS, pairs=PAIRS) -> None:
    for name, lines in (("face_tid_mid", media), ("name_5pts_score", points), ("template_pair_label", pairs)):
        (folder / f"meta/ijbb_{name}.txt").write_text("".join(f"{line}\n" for line in lines))


def changed(lines: list[str], row: int, line: str) -> list[str]:
    return [*lines[:row], line, *lines[row + 1 :]]


def test_faces_and_pairs_are_read_in_order(ijb):
    faces, pairs = read_ijb(ijb)
    assert faces.crops == ["1.jpg", "2.jpg", "3.jpg", "1.jpg"]
    assert faces.templates.tolist() == [0, 0, 1, 1]
    assert faces.media.tolist() == [0, 0, 1, 2]  # medium 69 of two templates is two
    assert faces.landmarks[0].tolist() == [[30.5, 40], [60, 40], [45, 55], [35, 70], [55, 70]]
    np.testing.assert_allclose(faces.confidences, [0.90, 0.91, 0.92, 0.93])
    assert faces.template_rows == {10: 0, 7: 1}
    assert (pairs.rows_a.tolist(), pairs.rows_b.tolist(), pairs.is_same.tolist()) == ([0, 1], [1, 0], [True, False])


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("media", "2.jpg 10", r"face_tid_mid.txt, line 2: must be `name template medium`, 3 fields. Got 2"),
        ("media", "9.jpg 10 69", r"face_tid_mid.txt, line 2: names '9.jpg', which is not in loose_crop"),
        ("media", "../meta/x 10 69", r"line 2: names '../meta/x', which is not in loose_crop"),
        ("media", "2.jpg -1 69", r"face_tid_mid.txt, line 2: an id must be a whole number from 0. Got '-1'"),
        ("media", "2.jpg 10 6.5", r"line 2: an id must be a whole number from 0. Got '6.5'"),
        ("points", "2.jpg 30 40 60 40 45 55 35 70 55 70", r"name_5pts_score.txt, line 2: must be .* 12 fields. Got 11"),
        ("points", "3.jpg 30 40 60 40 45 55 35 70 55 70 1", r"line 2: is of '3.jpg', and .*line 2 of '2.jpg'"),
        ("points", "2.jpg 30 40 60 x 45 55 35 70 55 70 1", r"line 2: landmarks and score must be numbers"),
        ("points", "2.jpg nan 40 60 4 45 55 35 70 55 70 1", r"line 2: landmarks must be pixels"),
        ("points", "2.jpg 1e9 40 60 4 45 55 35 70 55 70 1", r"line 2: landmarks must be pixels"),
        ("points", "2.jpg 3 3 3 3 3 3 3 3 3 3 1", r"line 2: its five landmarks are one point"),
        ("points", "2.jpg 30 40 60 40 45 55 35 70 55 70 -1", r"line 2: the score must be from 0 to 100. Got '-1'"),
        ("pairs", "7 10", r"template_pair_label.txt, line 2: must be `template template label`, 3 fields. Got 2"),
        ("pairs", "7 10 2", r"line 2: the label must be 0 or 1. Got '2'"),
        ("pairs", "7 11 0", r"line 2: no face of template 11 is in .*face_tid_mid.txt"),
        ("pairs", "7 10 1", r"template_pair_label.txt: must hold pairs of both kinds"),
    ],
)
def test_a_bad_line_is_named(ijb, file, line, message):
    lines = {"media": MEDIA, "points": POINTS, "pairs": PAIRS}[file]
    write(ijb, **{file: changed(lines, 1, line)})
    with pytest.raises(DataSetError, match=message):
        read_ijb(ijb)


def test_files_that_do_not_have_the_same_faces_are_refused(ijb):
    write(ijb, points=POINTS[:-1])
    with pytest.raises(DataSetError, match=r"line 4: '1.jpg' has no line of landmarks"):
        read_ijb(ijb)
    write(ijb, media=MEDIA[:-1])
    with pytest.raises(DataSetError, match=r"name_5pts_score.txt, line 4: ijbb_face_tid_mid.txt has no face left"):
        read_ijb(ijb)


def test_a_file_too_few_or_too_many_is_refused(ijb):
    (ijb / "meta/ijbc_name_5pts_score.txt").write_text("")
    with pytest.raises(DataSetError, match=r"2 files are named \*_name_5pts_score.txt; there must be one"):
        read_ijb(ijb)
    for path in (ijb / "meta").glob("*5pts*"):
        path.unlink()
    with pytest.raises(DataSetError, match="0 files are named"):
        read_ijb(ijb)


@pytest.mark.parametrize("file", ["media", "pairs"])
def test_an_empty_file_is_refused(ijb, file):
    write(ijb, **{file: []})
    with pytest.raises(DataSetError, match=r"holds no faces|pairs of both kinds"):
        read_ijb(ijb)
