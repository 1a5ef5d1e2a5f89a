from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from dwmtl.datasets.authors_label_file import (
    CK_PLUS,
    OULU_CASIA,
    read_ck_plus,
    read_oulu_casia,
    write_ck_plus,
    write_oulu_casia,
)
from dwmtl.errors import DataSetError

OULU_TEXT = """No subject expression label image_path
0 P001 Neutral 0 /data/zming/Oulu/P001/Anger/000.png
1 P001 Anger 1 /data/zming/Oulu/P001/Anger/016.png
"""
CK_TEXT = """count  subject  session  frame  label
0  S005  001  00000001  0
1  S005  001  00000011  3.0000000e+00
"""


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "labels.txt"


def oulu(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(OULU_CASIA))


def test_a_line_of_the_oulu_form_is_a_row(path):
    path.write_text(OULU_TEXT)
    assert read_oulu_casia(path).iloc[1].tolist() == [1, "P001", "Anger", 1, "/data/zming/Oulu/P001/Anger/016.png"]


def test_a_line_of_the_ck_plus_form_is_a_row(path):
    path.write_text(CK_TEXT)
    assert read_ck_plus(path).iloc[1].tolist() == [1, "S005", "001", "00000011", 3]


def test_what_was_read_is_written_as_it_was(path):
    path.write_text(OULU_TEXT)
    write_oulu_casia(read_oulu_casia(path), path)
    assert path.read_text() == OULU_TEXT


@pytest.mark.parametrize(
    ("new", "photo"),
    [("faces/oulu", "faces/oulu/P001/Anger/000.png"), ("", "P001/Anger/000.png"), ("/", "/P001/Anger/000.png")],
)
@pytest.mark.parametrize("old", ["/data/zming/Oulu", "/data/zming/Oulu/"])
def test_paths_move_from_the_old_folder_to_the_new(path, old, new, photo):
    path.write_text(OULU_TEXT)
    assert read_oulu_casia(path, remap=(old, new))["image_path"].iloc[0] == photo


@pytest.mark.parametrize("old", ["/data/zming/Ou", "data", "", "/elsewhere"])
def test_a_path_that_is_not_below_the_old_folder_is_named(path, old):
    path.write_text(OULU_TEXT)
    with pytest.raises(DataSetError, match=r"labels\.txt, line 2: the photo '/data/.*' is not below"):
        read_oulu_casia(path, remap=(old, "new"))


def test_a_path_that_leaves_the_old_folder_is_named(path):
    path.write_text(OULU_TEXT.replace("P001/Anger/016.png", "../../x"))
    with pytest.raises(DataSetError, match=r"line 3: the photo '/data/zming/Oulu/\.\./\.\./x' is not below"):
        read_oulu_casia(path, remap=("/data/zming/Oulu", "new"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2 P001 Anger 1", "4 fields; must be `No subject expression label image_path`"),
        ("2 P001 Anger 1 a b.png", "6 fields"),
        ("x P001 Anger 1 a.png", "number must be a whole number from 0. Got 'x'"),
        ("2 P001 Anger one a.png", "label must be a whole number from 0. Got 'one'"),
        ("2 P001 Anger -1 a.png", "label must be a whole number"),
        ("2 P001 Anger 1.5 a.png", "label must be a whole number"),
        ("2 P001 Anger 1e9 a.png", "label must be a whole number"),
        ("2 P001 Anger 2 a.png", "label 2 has expression Anger; in the lines above"),
        ("2 P001 Fear 1 a.png", "label 1 has expression Fear; in the lines above"),
    ],
)
def test_a_wrong_line_of_the_oulu_form_is_named(path, line, message):
    path.write_text(f"{OULU_TEXT}\n{line}\n")
    with pytest.raises(DataSetError, match=rf"labels\.txt, line 5: {message}"):
        read_oulu_casia(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2 S005 001 00000011", "4 fields; must be `count subject session frame label`"),
        ("2 S005 001 00000011 happy", "label must be a whole number"),
        ("2 S005 001 00000011 nan", "label must be a whole number"),
        ("2 S005 001 00000011 8", r"label must be one of 0\.\.7\. Got 8 instead"),
        ("-2 S005 001 00000011 1", "number must be a whole number"),
    ],
)
def test_a_wrong_line_of_the_ck_plus_form_is_named(path, line, message):
    path.write_text(f"{CK_TEXT}{line}\n")
    with pytest.raises(DataSetError, match=rf"labels\.txt, line 4: {message}"):
        read_ck_plus(path)


@pytest.mark.parametrize("text", ["", "0 S005 001 00000001 0\n", "labels\n"])
def test_a_file_without_a_header_is_told(path, text):
    path.write_text(text)
    with pytest.raises(DataSetError, match="line 1: must be the header, `count subject session frame label`"):
        read_ck_plus(path)


def test_a_file_that_is_missing_or_no_text_is_told(path):
    with pytest.raises(DataSetError, match=r"labels\.txt: no such file"):
        read_ck_plus(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(DataSetError, match=r"labels\.txt: not a text file"):
        read_oulu_casia(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((0, "P 001", "Anger", 1, "a.png"), "'P 001' is not one word"),
        ((0, "P001", "", 1, "a.png"), "'' is not one word"),
        ((0, "P001", "Anger", 1, "a\nb.png"), "is not one word"),
        ((0, "P001", "Anger", -1, "a.png"), "label must be a whole number"),
        ((0, "P001", "Anger", 2, "a.png"), "label 2 has expression Anger; in the lines above"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(path, row, message):
    with pytest.raises(DataSetError, match=f"line 3: .*{message}"):
        write_oulu_casia(oulu((0, "P001", "Anger", 1, "a.png"), row), path)
    assert list(path.parent.iterdir()) == []


EXPRESSIONS = ("Neutral", "Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")
words = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=8)
numbers = st.integers(0, 10**9 - 1)
paths = st.lists(words.map(lambda word: word.replace("/", "").replace(".", "") or "x"), min_size=1, max_size=3)
oulu_rows = st.tuples(numbers, words, st.integers(0, 6), paths.map("/".join)).map(
    lambda row: (row[0], row[1], EXPRESSIONS[row[2]], row[2], row[3])
)
ck_rows = st.tuples(numbers, words, words, words, st.integers(0, 7))


def table(rows: list[tuple], columns: tuple[str, ...]) -> pd.DataFrame:
    kinds = {column: int if column in ("number", "label") else str for column in columns}
    return pd.DataFrame(rows, columns=list(columns)).astype(kinds)


@settings(deadline=None)
@given(rows=st.lists(oulu_rows, max_size=5), remap=st.none() | st.tuples(st.just(""), paths.map("/".join)))
def test_oulu_form_is_read_as_it_was_written(tmp_path_factory, rows, remap):
    path = tmp_path_factory.mktemp("oulu") / "labels.txt"
    written = table(rows, OULU_CASIA)
    write_oulu_casia(written, path, remap=remap)
    assert_frame_equal(read_oulu_casia(path, remap=remap and remap[::-1]), written)


@settings(deadline=None)
@given(rows=st.lists(ck_rows, max_size=5))
def test_ck_plus_form_is_read_as_it_was_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("ck") / "labels.txt"
    written = table(rows, CK_PLUS)
    write_ck_plus(written, path)
    assert_frame_equal(read_ck_plus(path), written)


@settings(deadline=None)
@given(text=st.text(max_size=60), has_header=st.booleans(), tail=st.binary(max_size=4))
def test_any_file_is_read_or_refused(tmp_path_factory, text, has_header, tail):
    path = tmp_path_factory.mktemp("any") / "labels.txt"
    path.write_bytes(("header of labels\n" * has_header + text).encode() + tail)
    for read, columns in ((read_oulu_casia, OULU_CASIA), (read_ck_plus, CK_PLUS)):
        try:
            assert read(path).columns.tolist() == list(columns)
        except DataSetError:
            continue
