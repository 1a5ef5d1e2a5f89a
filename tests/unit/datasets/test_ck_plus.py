from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl.datasets.adapters import read_data_set
from dwmtl.datasets.ck_plus import EXPRESSIONS
from dwmtl.datasets.params import SetParams
from dwmtl.errors import DataSetError

IMAGES = "cohn-kanade-images"
SMILE, NO_LABEL = "S005/001", "S010/002"


def frames(session: str, num_frames: int) -> list[str]:
    stem = session.replace("/", "_")
    return [f"{IMAGES}/{session}/{stem}_{frame:08d}.png" for frame in range(1, num_frames + 1)]


def label(folder: Path, session: str, frame: int, text: str = "   5.0000000e+00\n", name: str = "") -> Path:
    path = folder / "Emotion" / session / (name or f"{session.replace('/', '_')}_{frame:08d}_emotion.txt")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def ck_plus(make_tree) -> Path:
    """A labelled sequence of six frames and one of three without a label."""
    folder = make_tree(*frames(SMILE, 6), *frames(NO_LABEL, 3))
    label(folder, SMILE, 6)
    (folder / "Emotion" / NO_LABEL).mkdir(parents=True)  # as the official tree has it
    return folder


def read(folder: Path, num_peak_frames: int = 3):
    return read_data_set(
        "expression",
        SetParams(role="expression", adapter="ck_plus", folder=str(folder)),
        num_peak_frames=num_peak_frames,
    )


def test_the_first_frame_is_neutral_and_the_last_are_peaks(ck_plus):
    photos = read(ck_plus).photos.query("subject == 'S005'")
    assert photos["use"].tolist() == ["neutral", "unused", "unused", "peak", "peak", "peak"]
    assert photos["expression"].tolist() == ["neutral", "", "", "happiness", "happiness", "happiness"]
    assert photos["frame"].tolist() == list(range(6))
    assert photos["photo"].iloc[0] == "cohn-kanade-images/S005/001/S005_001_00000001.png"
    assert set(photos["sequence"]) == {"cohn-kanade-images/S005/001"}


def test_a_sequence_without_a_label_is_not_used(ck_plus):
    photos = read(ck_plus).photos.query("subject == 'S010'")
    assert photos["use"].tolist() == ["unused"] * 3
    assert set(photos["expression"]) == {""}


@pytest.mark.parametrize("number", range(1, 8))
def test_every_number_is_its_expression(ck_plus, number):
    label(ck_plus, SMILE, 6, f"   {number}.0000000e+00\n")
    assert read(ck_plus).photos["expression"].iloc[5] == EXPRESSIONS[number]


@pytest.mark.parametrize("name", ["S005_001_00000006_emotion.TXT", "S005_001_00000006_Emotion.Txt"])
def test_the_ending_of_a_label_file_may_be_in_any_case(ck_plus, name):
    (ck_plus / "Emotion" / SMILE / "S005_001_00000006_emotion.txt").rename(ck_plus / "Emotion" / SMILE / name)
    assert "happiness" in set(read(ck_plus).photos["expression"])


def test_a_sequence_labelled_neutral_gives_its_first_frame_only(ck_plus):
    label(ck_plus, NO_LABEL, 3, "0.0000000e+00")
    assert read(ck_plus).photos.query("subject == 'S010'")["use"].tolist() == ["neutral", "unused", "unused"]


@pytest.mark.parametrize("text", ["happy", "8.0000000e+00", "-1", "2.5", "nan", "3.0e+01", "3\x00", "٣", "5 5"])
def test_a_label_that_is_no_number_of_an_expression_is_named_with_its_line(ck_plus, text):
    label(ck_plus, SMILE, 6, f"\n{text}\n")
    with pytest.raises(
        DataSetError, match=r"S005_001_00000006_emotion\.txt, line 2: must be one of 0 neutral, 1 anger"
    ):
        read(ck_plus)


@pytest.mark.parametrize(("text", "num_lines"), [("", 0), ("5.0\n5.0\n", 2)])
def test_a_label_file_of_no_line_or_several_is_named(ck_plus, text, num_lines):
    label(ck_plus, SMILE, 6, text)
    with pytest.raises(DataSetError, match=rf"_emotion\.txt: {num_lines} lines; must be one"):
        read(ck_plus)


def test_a_label_file_that_is_no_text_is_named(ck_plus):
    label(ck_plus, SMILE, 6).write_bytes(b"\xff\xfe5")
    with pytest.raises(DataSetError, match=r"_emotion\.txt: not a text file"):
        read(ck_plus)


def test_two_labels_of_a_sequence_are_named(ck_plus):
    label(ck_plus, SMILE, 5)
    with pytest.raises(DataSetError, match=r"S005/001: 2 label files \(S005_001_00000005_emotion\.txt, "):
        read(ck_plus)


def test_a_label_file_with_another_name_is_named(ck_plus):
    label(ck_plus, NO_LABEL, 3, name="emotion.txt")
    with pytest.raises(DataSetError, match=r"S010/002/emotion\.txt: a label file must be named like"):
        read(ck_plus)


@pytest.mark.parametrize("session", ["S005/009", "S099/001"])
def test_a_label_of_a_sequence_without_pictures_is_named(ck_plus, session):
    label(ck_plus, session, 6)
    with pytest.raises(DataSetError, match=rf"labels a sequence without pictures, {IMAGES}/{session}\. Copy it"):
        read(ck_plus)


def test_a_label_of_an_empty_sequence_is_named(ck_plus):
    label(ck_plus, "S005/009", 6)
    (ck_plus / IMAGES / "S005" / "009").mkdir()
    with pytest.raises(DataSetError, match="labels a sequence without pictures"):
        read(ck_plus)


def test_a_label_of_a_frame_that_was_not_copied_is_named(ck_plus):
    label(ck_plus, NO_LABEL, 17)
    with pytest.raises(DataSetError, match=r"S010_002_00000017_emotion\.txt: labels a frame that .* does not have"):
        read(ck_plus)


def test_a_picture_of_another_sequence_is_named(ck_plus, make_tree):
    make_tree(f"{IMAGES}/{SMILE}/S005_002_00000007.png")
    with pytest.raises(
        DataSetError, match=r"S005_002_00000007\.png: not a frame of the sequence, such as S005_001_00000001"
    ):
        read(ck_plus)


def test_a_labelled_sequence_too_short_for_the_frame_rule_is_named(ck_plus):
    label(ck_plus, NO_LABEL, 3)
    with pytest.raises(DataSetError, match=r"S010/002: 3 frames; .*index\.num_peak_frames"):
        read(ck_plus)


@pytest.mark.parametrize("part", [IMAGES, "Emotion"])
def test_a_missing_half_of_the_set_is_named(ck_plus, part):
    (ck_plus / part).rename(ck_plus / "elsewhere")
    with pytest.raises(DataSetError, match=f"{part}: no such folder"):
        read(ck_plus)


@settings(deadline=None)
@given(text=st.text(max_size=20))
def test_any_label_is_read_or_refused(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("ck")
    for picture in frames(SMILE, 2):
        (folder / picture).parent.mkdir(parents=True, exist_ok=True)
        (folder / picture).touch()
    label(folder, SMILE, 2).write_text(text, encoding="utf-8")
    try:
        photos = read(folder, num_peak_frames=1).photos
    except DataSetError:
        return
    assert photos["expression"].iloc[1] in ("", *EXPRESSIONS)
