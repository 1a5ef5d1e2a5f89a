import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl.datasets.adapters import read_data_set
from dwmtl.datasets.params import SetParams
from dwmtl.errors import DataSetError
from dwmtl.tables import VERIFICATION_PAIRS

HEADER = ",".join(VERIFICATION_PAIRS)
FACES = "photo,subject,group\na.png,ann,x\nb.png,ann,x\ndeep/er/c.png,cid,y\nd.png,,\n"


@pytest.fixture
def folder(make_tree):
    folder = make_tree("a.png", "b.png", "deep/er/c.png", "d.png", "unlisted.png")
    (folder / "faces.csv").write_text(FACES)
    return folder


def read(folder, text: str | bytes | None):
    if text is not None:
        (folder / "pairs.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    params = SetParams(role="verification", adapter="csv_table", folder=str(folder))
    return read_data_set("own", params, num_peak_frames=3)


def test_pairs_are_read_in_their_order_with_their_blocks(folder):
    data_set = read(folder, f"{HEADER}\na.png,b.png,True,0\na.png,deep/er/c.png,0,0\nb.png, d.png ,1,1\n")
    assert data_set.pairs.to_numpy().tolist() == [
        ["a.png", "b.png", True, 0],
        ["a.png", "deep/er/c.png", False, 0],
        ["b.png", "d.png", True, 1],  # of an unknown subject: nothing contradicts it
    ]
    assert data_set.photos["group"].tolist() == ["x", "x", "", "y"]


def test_columns_may_stand_in_any_order_beside_others(folder):
    text = "note,fold,is_same_identity,photo_b,photo_a\nfine,3,false,deep/er/c.png,a.png\n"
    assert read(folder, text).pairs.to_numpy().tolist() == [["a.png", "deep/er/c.png", False, 3]]


def test_a_table_without_pairs_is_no_verification_set(folder):
    with pytest.raises(DataSetError, match=r"has no verification pairs, and the role of sets\.own is verification"):
        read(folder, None)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.png,x.png,True,0", r"pairs\.csv, line 2: names .*x\.png, which does not exist"),
        ("../a.png,b.png,True,0", r"pairs\.csv, line 2: '\.\./a\.png' is not a path below"),
        ("a.png,unlisted.png,True,0", r"line 2: 'unlisted\.png' is no row of faces\.csv\. Add the row"),
        ("a.png,b.png,maybe,0", r"line 2: is_same_identity must be True or False\. Got 'maybe' instead"),
        ("a.png,a.png,True,0", r"line 2: a pair of 'a\.png' with itself"),
        ("a.png,b.png,False,0", r"line 2: is_same_identity is False, and the subjects are 'ann' and 'ann'"),
        ("a.png,deep/er/c.png,True,0", r"line 2: is_same_identity is True, and the subjects are 'ann' and 'cid'"),
        ("a.png,b.png,True,-1", r"line 2: fold must be a whole number from 0\. Got '-1' instead"),
        ("a.png,b.png,True", r"line 2: 3 cells; must be 4"),
        ('a.png,"b.png,True,0', r"line 2: not CSV"),
        ("", r"pairs\.csv: holds no pairs"),
    ],
)
def test_a_wrong_line_is_named_with_its_cure(folder, line, message):
    with pytest.raises(DataSetError, match=message):
        read(folder, f"{HEADER}\n{line}\n")


@pytest.mark.parametrize("header", ["", "photo_a,photo_b,fold", f"{HEADER},fold"])
def test_a_column_that_is_missing_or_repeated_is_named(folder, header):
    with pytest.raises(DataSetError, match=r"pairs\.csv, line 1: must hold the column \w+ once"):
        read(folder, f"{header}\na.png,b.png,True,0\n")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120))
def test_any_bytes_are_pairs_or_one_error(tmp_path_factory, junk):
    folder = tmp_path_factory.mktemp("own")
    (folder / "a.png").touch()
    (folder / "faces.csv").write_text("photo,subject\na.png,ann\n")
    with pytest.raises(DataSetError):  # a set of one photo has no pair
        read(folder, f"{HEADER}\n".encode() + junk)
