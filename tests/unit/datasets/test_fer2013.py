from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl.crops.photo_source import open_photos
from dwmtl.datasets.adapters import read_data_set
from dwmtl.datasets.packs.fer2013_table import EXPRESSIONS, USAGES, faces
from dwmtl.datasets.params import SetParams
from dwmtl.errors import DataSetError

HEADER = "emotion,pixels,Usage\n"
RAMP = np.arange(48 * 48).reshape(48, 48) % 256
PIXELS = " ".join(map(str, RAMP.ravel()))


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "fer2013.csv"
    path.write_text(HEADER + f"0,{PIXELS},Training\n6,{PIXELS},PublicTest\n3,{PIXELS},PrivateTest\n")
    return path


def read(folder: Path):
    return read_data_set(
        "expression",
        SetParams(role="expression", adapter="fer2013", folder=str(folder)),
        num_peak_frames=3,
    )


def test_a_row_is_a_face(table):
    found = list(faces(table))
    assert [(face.row, face.expression, face.usage) for face in found] == [
        (1, "anger", "Training"),
        (2, "neutral", "PublicTest"),
        (3, "happiness", "PrivateTest"),
    ]
    assert found[0].pixels.dtype == np.uint8
    np.testing.assert_array_equal(found[0].pixels, RAMP)


def test_the_columns_may_stand_in_another_order(tmp_path):
    (tmp_path / "icml.csv").write_text(f'emotion, Usage, pixels\r\n4,Training,"{PIXELS}"\r\n\r\n')
    assert [face.expression for face in faces(tmp_path / "icml.csv")] == ["sadness"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"7,{PIXELS},Training", "emotion must be one of 0 anger, 1 disgust, .*6 neutral. Got '7'"),
        (f"anger,{PIXELS},Training", "emotion must be one of"),
        (f",{PIXELS},Training", "emotion must be one of"),
        (f"0,{PIXELS},Test", "Usage must be one of Training, PublicTest, PrivateTest. Got 'Test'"),
        (f"0,{PIXELS} 0,Training", "2305 pixels; must be 48x48"),
        ("0,,Training", "0 pixels; must be 48x48"),
        (f"0,{PIXELS[:-3]}256,Training", "a pixel is not a whole number from 0 to 255"),
        (f"0,-1{PIXELS[1:]},Training", "a pixel is not a whole number"),
        (f"0,x{PIXELS[1:]},Training", "a pixel is not a whole number"),
        (f"0,{PIXELS}", "2 cells; must be emotion,pixels,Usage"),
        (f'0,"{PIXELS},Training', "not CSV"),
        ("0," + "1 " * 100_000, "64000 characters or more"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(tmp_path, line, message):
    (tmp_path / "fer2013.csv").write_text(HEADER + f"0,{PIXELS},Training\n{line}\n")
    with pytest.raises(DataSetError, match=rf"fer2013\.csv, line 3: {message}"):
        list(faces(tmp_path / "fer2013.csv"))


@pytest.mark.parametrize("header", ["emotion,pixels\n", f"0,{PIXELS},Training\n", "\n"])
def test_a_first_line_that_names_no_columns_is_told(tmp_path, header):
    (tmp_path / "fer2013.csv").write_text(header + f"0,{PIXELS},Training\n")
    with pytest.raises(DataSetError, match="line 1: must be emotion,pixels,Usage"):
        list(faces(tmp_path / "fer2013.csv"))


def test_a_table_that_is_missing_or_no_text_is_told(tmp_path):
    with pytest.raises(DataSetError, match=r"gone\.csv: no such file"):
        list(faces(tmp_path / "gone.csv"))
    (tmp_path / "fer2013.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataSetError, match=r"fer2013\.csv: not a text file"):
        list(faces(tmp_path / "fer2013.csv"))


def test_the_table_is_read_as_it_is_and_its_pixels_are_kept(table):
    photos = read(table.parent).photos
    assert photos["photo"].tolist() == ["PrivateTest/000003", "PublicTest/000002", "Training/000001"]
    assert photos["expression"].tolist() == ["happiness", "neutral", "anger"]
    assert photos["use"].tolist() == ["peak", "neutral", "peak"]
    assert photos["part"].tolist() == ["test", "validation", "train"]
    assert set(photos["subject"]) == {""}
    decode = open_photos("fer2013", table.parent)
    for photo in photos["photo"]:
        np.testing.assert_array_equal(decode(photo), np.stack([RAMP] * 3, axis=2))


def test_a_wrong_row_stops_the_reading(table):
    with table.open("a") as file:
        file.write("0,1 2 3,Training\n")
    with pytest.raises(DataSetError, match="line 5: 3 pixels"):
        read(table.parent)


def test_a_folder_without_the_table_is_told(tmp_path):
    with pytest.raises(DataSetError, match=r"fer2013\.csv: no such file"):
        read(tmp_path)


line = st.builds(
    ",".join,
    st.tuples(
        st.sampled_from(["0", "6", "7", "-1", ""]) | st.text(max_size=3),
        st.sampled_from([PIXELS, PIXELS + " 1", "1 2", ""]) | st.text(max_size=20),
        st.sampled_from([*USAGES, "Test"]) | st.text(max_size=3),
    ),
)


@settings(deadline=None)
@given(lines=st.lists(line, max_size=4), tail=st.binary(max_size=8))
def test_any_table_is_read_or_refused(tmp_path_factory, lines, tail):
    path = tmp_path_factory.mktemp("fer") / "fer2013.csv"
    path.write_bytes((HEADER + "\n".join(lines)).encode() + tail)
    try:
        found = list(faces(path))
    except DataSetError:
        return
    assert {face.expression for face in found} <= set(EXPRESSIONS)
    assert {face.pixels.shape for face in found} <= {(48, 48)}
