import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl.datasets.adapters import read_data_set
from dwmtl.datasets.params import SetParams
from dwmtl.datasets.raf_db import EXPRESSIONS
from dwmtl.errors import DataSetError

NAMES = ["train_00001", "train_00002", "test_0001"]


def write(folder, text: str | bytes):
    path = folder / "EmoLabel" / "list_patition_label.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def read(folder):
    return read_data_set(
        "expression",
        SetParams(role="expression", adapter="raf_db", folder=str(folder)),
        num_peak_frames=3,
    )


@pytest.fixture
def raf_db(make_tree):
    folder = make_tree(*[f"Image/aligned/{name}_aligned.jpg" for name in NAMES])
    return write(folder, "train_00001.jpg 5\ntrain_00002.jpg 4\r\ntest_0001.jpg 7\n")


def test_a_line_labels_its_aligned_picture(raf_db):
    photos = read(raf_db).photos
    assert photos["photo"].tolist() == [f"Image/aligned/{name}_aligned.jpg" for name in sorted(NAMES)]
    assert photos["expression"].tolist() == ["neutral", "sadness", "happiness"]
    assert photos["use"].tolist() == ["neutral", "peak", "peak"]
    assert photos["part"].tolist() == ["test", "train", "train"]
    assert set(photos["subject"]) == {""}


def test_two_unicode_spellings_of_a_picture_are_one(make_tree):
    composed, angstrom = "\u00c5", "\u212b"
    pictures = make_tree(f"Image/aligned/test_{composed}_aligned.jpg")
    folder = write(pictures, f"test_{composed}.jpg 5\ntest_{angstrom}.jpg 5\n")
    with pytest.raises(DataSetError, match="line 2: labels the picture of line 1 again"):
        read(folder)


@pytest.mark.parametrize(("number", "expression"), EXPRESSIONS.items())
def test_every_number_is_its_expression(make_tree, number, expression):
    folder = write(make_tree("Image/aligned/test_0001_aligned.jpg"), f"test_0001.jpg {number}")
    assert read(folder).photos["expression"].tolist() == [expression]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("test_0001.jpg 0", "the label must be one of 1 surprise, 2 fear, .*7 neutral. Got '0'"),
        ("test_0001.jpg 8", "the label must be one of"),
        ("test_0001.jpg happy", "the label must be one of"),
        ("test_0001.jpg 07", "the label must be one of"),
        ("test_0001.jpg", "must be like `train_00001.jpg 5`"),
        ("test_0001.jpg 5 5", "must be like"),
        ("dev_0001.jpg 5", "must be like `train_00001.jpg 5` or `test_0001.jpg 5`. Got 'dev_0001.jpg 5'"),
        ("../test_0001.jpg 5", "must be like"),
        ("/etc/test_0001.jpg 5", "must be like"),
        ("test_0002.jpg 5", r"names .*test_0002_aligned .*, which does not exist"),
        ("train_00001.jpg 5", "labels the picture of line 1 again"),
        ("train_00001.jpg 4", "labels the picture of line 1 again"),
    ],
)
def test_a_wrong_line_is_named(raf_db, line, message):
    write(raf_db, f"train_00001.jpg 5\n\n{line}\n")
    with pytest.raises(DataSetError, match=rf"list_patition_label\.txt, line 3: {message}"):
        read(raf_db)


def test_a_picture_without_a_label_is_named(raf_db):
    write(raf_db, "train_00001.jpg 5\n")
    with pytest.raises(DataSetError, match=r"test_0001_aligned\.jpg: has no label in EmoLabel"):
        read(raf_db)


def test_a_list_that_is_missing_or_no_text_is_told(raf_db):
    write(raf_db, b"\xff\xfe")
    with pytest.raises(DataSetError, match=r"list_patition_label\.txt: not a text file"):
        read(raf_db)
    (raf_db / "EmoLabel" / "list_patition_label.txt").unlink()
    with pytest.raises(DataSetError, match=r"list_patition_label\.txt: no such file"):
        read(raf_db)


def test_a_set_without_pictures_is_told(tmp_path):
    with pytest.raises(DataSetError, match="Image/aligned: no such folder"):
        read(write(tmp_path, "train_00001.jpg 5\n"))


name = st.sampled_from(["test_a.jpg", "train_b.jpg", "a.jpg", "../test_a.jpg", ""]) | st.text(max_size=8)


@settings(deadline=None)
@given(lines=st.lists(st.tuples(name, st.sampled_from(list(EXPRESSIONS)) | st.text(max_size=3)), max_size=4))
def test_any_list_is_read_or_refused(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("raf")
    (folder / "Image" / "aligned").mkdir(parents=True)
    (folder / "Image" / "aligned" / "test_a_aligned.jpg").touch()
    write(folder, "\n".join(f"{name} {label}" for name, label in lines))
    try:
        photos = read(folder).photos
    except DataSetError:
        return
    assert photos["photo"].tolist() == ["Image/aligned/test_a_aligned.jpg"]
