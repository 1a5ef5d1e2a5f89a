from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl.datasets import fer2013, fer_plus
from dwmtl.datasets.fer_plus import COLUMNS, EXPRESSIONS, TABLE, majority
from dwmtl.datasets.packs.fer2013_table import USAGES
from dwmtl.datasets.params import SetParams
from dwmtl.errors import DataSetError

HEADER = ",".join(COLUMNS)
PIXELS = " ".join(["9"] * 48**2)
USAGE_AND_VOTES = (
    ("Training", "4,0,0,1,3,2,0,0,0,0"),  # 4 of 9 votes: no majority
    ("Training", "0,6,4,0,0,0,0,0,0,0"),
    ("PublicTest", "0,0,0,0,0,0,0,0,0,10"),  # no face
    ("PrivateTest", "8,1,0,0,0,0,0,0,1,0"),
)


def votes(**of: int) -> dict[str, int]:
    return dict.fromkeys(COLUMNS[2:], 0) | of


@pytest.fixture
def folder(tmp_path) -> Path:
    faces = [f"0,{PIXELS},{usage}" for usage, _ in USAGE_AND_VOTES]
    (tmp_path / "fer2013.csv").write_text("emotion,pixels,Usage\n" + "\n".join(faces) + "\n")
    rows = [f"{usage},fer000.png,{row}" for usage, row in USAGE_AND_VOTES]
    (tmp_path / TABLE).write_text("\n".join([HEADER, *rows]) + "\n")
    return tmp_path


def test_a_face_is_what_most_people_saw_and_unused_without_a_majority(folder):
    photos = fer2013.read(folder, num_peak_frames=3, fer_plus_labels="majority").photos.set_index("photo")
    assert photos["expression"].to_dict() == {
        "PrivateTest/000004": "neutral",
        "PublicTest/000003": "",
        "Training/000001": "",
        "Training/000002": "happiness",
    }
    assert photos["use"].tolist() == ["neutral", "unused", "unused", "peak"]
    assert photos["part"].tolist() == ["test", "validation", "train", "train"]
    assert set(fer2013.read(folder, num_peak_frames=3).photos["expression"]) == {"anger"}


def test_votes_are_given_beside_the_majority_without_single_ones(folder):
    by_majority = fer2013.read(folder, num_peak_frames=3, fer_plus_labels="majority").photos
    photos = fer2013.read(folder, num_peak_frames=3, fer_plus_labels="votes").photos
    assert photos[by_majority.columns].equals(by_majority)
    given = photos.set_index("photo").filter(like="votes_")
    assert list(given) == [f"votes_{name}" for name in EXPRESSIONS]
    assert given.loc["Training/000002"].tolist() == ["0", "6", "4", *"00000"]
    assert given.loc["PrivateTest/000004"].tolist() == ["8", *"0000000"]


def test_votes_keep_their_names():
    names = {"contempt": None, "anger": "anger"}
    values = {"role": "expression", "adapter": "fer2013", "folder": "x", "fer_plus_labels": "votes"}
    SetParams(**values, expressions=names)
    with pytest.raises(
        ValueError, match=r"expressions must rename none where fer_plus_labels is votes\. Got \['fear'\]"
    ):
        SetParams(**values, expressions=names | {"fear": "afraid"})


@pytest.mark.parametrize(
    ("of", "expression"),
    [
        (votes(anger=5, fear=5), ""),  # a half is no majority
        (votes(anger=5, fear=4, sadness=1), "anger"),  # a single vote is an outlier: 5 of 9
        (votes(anger=4, fear=2, sadness=2, neutral=2), ""),
        (votes(unknown=6, anger=4), ""),
        (votes(NF=10), ""),
        (dict.fromkeys(COLUMNS[2:], 1), ""),  # outliers alone
        (votes(), ""),
        (votes(contempt=10), "contempt"),
    ],
)
def test_a_majority_is_more_than_half_of_the_votes_that_are_no_outliers(of, expression):
    assert majority(of) == expression


@given(st.lists(st.integers(0, 10), min_size=10, max_size=10))
def test_majorities_equal_a_plain_loop(numbers):
    counted = [num if num >= 2 else 0 for num in numbers]
    winners = [name for name, num in zip(COLUMNS[2:], counted, strict=True) if num > sum(counted) / 2]
    expected = winners[0] if winners and winners[0] in EXPRESSIONS else ""
    assert majority(dict(zip(COLUMNS[2:], numbers, strict=True))) == expected


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("Training,a.png,4,0,0,1,3,2,0,0,0", "line 3: 11 cells; must be 12"),
        (
            "Test,a.png,4,0,0,1,3,2,0,0,0,0",
            "line 3: Usage must be one of Training, PublicTest, PrivateTest. Got 'Test'",
        ),
        ("Training,a.png,x,0,0,1,3,2,0,0,0,0", "line 3: neutral must be a number of votes, 0 to 100. Got 'x'"),
        ("Training,a.png,4,-1,0,1,3,2,0,0,0,0", "line 3: happiness must be a number of votes"),
        ("Training,a.png,4,0,0,1,3,2,0,0,0,101", "line 3: NF must be a number of votes"),
        ('Training,a.png,"4,0,0,1,3,2,0,0,0,0', "line 5: not CSV"),
        ("PublicTest,a.png,4,0,0,1,3,2,0,0,0,0", "its rows must follow those of fer2013.csv, .*; row 2 does not"),
    ],
)
def test_a_wrong_row_is_named(folder, row, message):
    lines = (folder / TABLE).read_text().splitlines()
    lines[2] = row
    (folder / TABLE).write_text("\n".join(lines) + "\n")
    with pytest.raises(DataSetError, match=rf"fer2013new\.csv.*{message}"):
        fer2013.read(folder, num_peak_frames=3, fer_plus_labels="majority")


def test_tables_of_different_length_and_other_columns_are_refused(folder):
    text = (folder / TABLE).read_text()
    (folder / TABLE).write_text(text + "Training,a.png,4,0,0,1,3,2,0,0,0,0\n")
    with pytest.raises(DataSetError, match=r"its rows must follow .*; row 5 does not"):
        fer2013.read(folder, num_peak_frames=3, fer_plus_labels="majority")
    (folder / TABLE).write_text(text.replace("contempt", "pride"))
    with pytest.raises(DataSetError, match="line 1: must be Usage,Image name,neutral"):
        list(fer_plus.votes(folder / TABLE))
    (folder / TABLE).unlink()
    with pytest.raises(DataSetError, match=r"fer2013new\.csv: no such file"):
        list(fer_plus.votes(folder / TABLE))


def test_fer_plus_labels_are_of_fer2013_alone():
    with pytest.raises(ValueError, match="fer_plus_labels is an option of the adapter fer2013"):
        SetParams(role="expression", adapter="raf_db", folder="x", fer_plus_labels="majority")


cell = st.sampled_from([*USAGES, "0", "10", "-1", "", '"']) | st.text(max_size=3)


@settings(deadline=None)
@given(lines=st.lists(st.lists(cell, min_size=11, max_size=13).map(",".join), max_size=3), tail=st.binary(max_size=8))
def test_any_table_is_read_or_refused(tmp_path_factory, lines, tail):
    path = tmp_path_factory.mktemp("fer") / TABLE
    path.write_bytes("\n".join([HEADER, *lines]).encode() + tail)
    try:
        found, told = list(fer_plus.votes(path)), "read"
    except DataSetError as error:
        found, told = [], str(error)
    assert len(told.splitlines()) == 1
    assert {majority(of) for _, of in found} <= {*EXPRESSIONS, ""}
