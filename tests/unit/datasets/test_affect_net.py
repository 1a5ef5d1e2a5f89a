import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl.datasets.adapters import read_data_set
from dwmtl.datasets.affect_net import EXPRESSIONS
from dwmtl.datasets.params import SetParams
from dwmtl.errors import DataSetError


def npy(value, **options) -> bytes:
    file = io.BytesIO()
    np.save(file, value, **options)
    return file.getvalue()


def header(description: str) -> bytes:
    """A file that holds a header and the bytes of one label."""
    return b"\x93NUMPY\x01\x00" + len(description).to_bytes(2, "little") + description.encode() + b"1\0\0\0"


class _Touch:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.fixture
def affect_net(make_tree) -> Path:
    folder = make_tree("train_set/images/0.jpg", "train_set/images/12.jpg", "val_set/images/7.jpg")
    for part, stem, label in (("train_set", "0", "1"), ("train_set", "12", "0"), ("val_set", "7", "7")):
        (folder / part / "annotations").mkdir(exist_ok=True)
        (folder / part / "annotations" / f"{stem}_exp.npy").write_bytes(npy(np.array(label)))
        (folder / part / "annotations" / f"{stem}_val.npy").write_bytes(npy(np.array("0.5")))
    return folder


def relabel(folder: Path, content: bytes) -> Path:
    (folder / "val_set" / "annotations" / "7_exp.npy").write_bytes(content)
    return folder


def read(folder: Path):
    return read_data_set(
        "expression",
        SetParams(role="expression", adapter="affect_net", folder=str(folder)),
        num_peak_frames=3,
    )


def test_an_annotation_labels_its_picture(affect_net):
    photos = read(affect_net).photos
    assert photos["photo"].tolist() == ["train_set/images/0.jpg", "train_set/images/12.jpg", "val_set/images/7.jpg"]
    assert photos["expression"].tolist() == ["happiness", "neutral", "contempt"]
    assert photos["use"].tolist() == ["peak", "neutral", "peak"]
    assert photos["part"].tolist() == ["train", "train", "test"]
    assert set(photos["subject"]) == {""}


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.float32, str, ">i4"])
def test_every_number_is_its_expression_however_it_is_written(affect_net, number, kind):
    photos = read(relabel(affect_net, npy(np.array([number]).astype(kind)))).photos
    assert photos["expression"].iloc[2] == EXPRESSIONS[number]


def test_one_part_is_enough(affect_net):
    (affect_net / "train_set").rename(affect_net / "later")
    assert len(read(affect_net).photos) == 1


def test_valence_and_arousal_are_columns_empty_where_there_is_none(affect_net):
    annotations = affect_net / "train_set" / "annotations"
    (annotations / "0_aro.npy").write_bytes(npy(np.array("-0.0396825")))
    (annotations / "12_val.npy").write_bytes(npy(np.array(-2.0)))
    photos = read(affect_net).photos
    assert photos["valence"].tolist() == ["0.5", "", "0.5"]
    assert photos["arousal"].tolist() == ["-0.0396825", "", ""]


def test_a_set_without_valence_has_no_such_column(affect_net):
    for annotation in affect_net.glob("*/annotations/*_val.npy"):
        annotation.unlink()
    assert not {"valence", "arousal"} & set(read(affect_net).photos)


@pytest.mark.parametrize("value", ["1.01", "-1.5", "", "calm", "nan", -2.5])
def test_a_valence_out_of_range_is_named(affect_net, value):
    (affect_net / "val_set" / "annotations" / "7_val.npy").write_bytes(npy(np.array(value)))
    with pytest.raises(DataSetError, match=r"7_val\.npy: must hold a number from -1 to 1, or -2\. Got"):
        read(affect_net)


@pytest.mark.parametrize("label", ["8", "10", "-1", "", "happy", 2.5])
def test_a_label_outside_the_map_is_named(affect_net, label):
    with pytest.raises(DataSetError, match=r"7_exp\.npy: must hold one of 0 neutral, 1 happiness, .*7 contempt\. Got"):
        read(relabel(affect_net, npy(np.array(label))))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"5",
        npy(np.array("7"))[:-1],
        npy(np.array("7"))[:20],
        npy(np.array([1, 2])),
        npy(np.array(True)),
        npy(np.array(float("nan"))),
        npy(np.array(float("inf"))),
        npy(np.zeros(1, [("a", "i4")])),
        header("{'descr': '<i4', 'fortran_order': False, 'shape': (1000000000000,), }\n"),
        header("{'descr': '<U1000000000', 'fortran_order': False, 'shape': (), }\n"),
        header("{'descr': '<i4', 'fortran_order': False, 'shape': __import__('os'), }\n"),
        header("{'descr"),
    ],
)
def test_a_file_that_is_no_label_is_named(affect_net, content):
    with pytest.raises(DataSetError, match=r"7_exp\.npy: not an \.npy file of one label"):
        read(relabel(affect_net, content))


def test_a_large_file_is_not_read(affect_net):
    with pytest.raises(DataSetError, match=r"7_exp\.npy: more than 4096 bytes"):
        read(relabel(affect_net, npy(np.zeros(10_000))))


def test_a_pickle_runs_nothing(affect_net, tmp_path):
    content = npy(np.array(_Touch(tmp_path / "made"), dtype=object), allow_pickle=True)
    with pytest.raises(DataSetError, match=r"not an \.npy file of one label"):
        read(relabel(affect_net, content))
    assert not (tmp_path / "made").exists()


def test_a_picture_without_an_annotation_is_named(affect_net):
    (affect_net / "val_set" / "annotations" / "7_exp.npy").unlink()
    with pytest.raises(DataSetError, match=r"val_set/images/7\.jpg: has no annotation 7_exp\.npy"):
        read(affect_net)


def test_an_annotation_without_a_picture_is_named(affect_net):
    (affect_net / "val_set" / "images" / "7.jpg").unlink()
    with pytest.raises(DataSetError, match=r"annotations/7_exp\.npy: has no picture"):
        read(affect_net)


def test_a_folder_of_neither_part_is_told(make_tree):
    with pytest.raises(DataSetError, match="holds neither train_set nor val_set"):
        read(make_tree("images/1.jpg"))


@pytest.mark.parametrize("part", ["images", "annotations"])
def test_a_missing_half_is_named(affect_net, part):
    (affect_net / "val_set" / part).rename(affect_net / "elsewhere")
    with pytest.raises(DataSetError, match=f"val_set/{part}: no such folder"):
        read(affect_net)


VALID = npy(np.array("3"))


@settings(deadline=None)
@given(
    content=st.binary(max_size=200)
    | st.builds(lambda at, byte: VALID[:at] + bytes([byte]) + VALID[at + 1 :], st.integers(0, 131), st.integers(0, 255))
)
@pytest.mark.filterwarnings("ignore:Reading `.npy`:UserWarning")
def test_any_annotation_is_read_or_refused(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("affect")
    for part in ("images", "annotations"):
        (folder / "val_set" / part).mkdir(parents=True)
    (folder / "val_set" / "images" / "7.jpg").touch()
    relabel(folder, content)
    try:
        photos = read(folder).photos
    except DataSetError:
        return
    assert photos["expression"].iloc[0] in EXPRESSIONS


VALENCE = npy(np.array("-0.25"))


@settings(deadline=None)
@given(
    content=st.one_of(
        st.builds(
            lambda at, b: VALENCE[:at] + b.to_bytes() + VALENCE[at + 1 :], st.integers(0, 147), st.integers(0, 255)
        ),
        st.floats().map(lambda value: npy(np.array(value))),
        st.text(max_size=8).map(lambda value: npy(np.array(value))),
    )
)
@pytest.mark.filterwarnings("ignore:Reading `.npy`:UserWarning")
def test_any_valence_is_read_or_refused_in_one_line(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("affect")
    for part in ("images", "annotations"):
        (folder / "val_set" / part).mkdir(parents=True)
    (folder / "val_set" / "images" / "7.jpg").touch()
    relabel(folder, VALID)
    (folder / "val_set" / "annotations" / "7_val.npy").write_bytes(content)
    try:
        valence, told = read(folder).photos["valence"].iloc[0], "read"
    except DataSetError as error:
        valence, told = "", str(error)
    assert len(told.splitlines()) == 1
    assert valence == "" or -1 <= float(valence) <= 1
