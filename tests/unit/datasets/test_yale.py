"""The Yale face database: what a photo's name says."""

from pathlib import Path

import pytest

from dwmtl.datasets.adapters import read_data_set
from dwmtl.datasets.params import SetParams
from dwmtl.errors import DataSetError


def read(folder: Path):
    source = SetParams(role="expression", adapter="yale", folder=str(folder))
    return read_data_set("expression", source, num_peak_frames=3)


def test_yale_conditions_become_expressions_and_uses(touch_tree):
    names = ["subject01.normal", "subject01.happy", "subject01.glasses", "subject02.wink.gif", "Readme.txt"]
    photos = read(touch_tree(*names)).photos.set_index("photo")
    assert photos.loc["subject01.normal", ["expression", "use"]].tolist() == ["neutral", "neutral"]
    assert photos.loc["subject01.happy", ["expression", "use"]].tolist() == ["happiness", "peak"]
    assert photos.loc["subject01.glasses", ["expression", "use"]].tolist() == ["", "train"]
    assert photos.loc["subject02.wink.gif", "subject"] == "subject02"
    assert len(photos) == 4


def test_an_unknown_yale_condition_is_named(touch_tree):
    with pytest.raises(DataSetError, match=r"subject01\.bored: not a condition"):
        read(touch_tree("subject01.bored"))


def test_real_yale_is_164_photos_of_15_subjects(testdata):
    photos = read(testdata / "real" / "yale").photos
    assert (len(photos), photos["subject"].nunique()) == (164, 15)
    assert photos["use"].value_counts().to_dict() == {"peak": 75, "train": 74, "neutral": 15}


def test_yale_says_who_wears_glasses(touch_tree):
    photos = read(touch_tree("subject01.glasses", "subject01.noglasses", "subject01.happy")).photos.set_index("photo")
    assert photos["glasses"].to_dict() == {
        "subject01.glasses": "on", "subject01.happy": "", "subject01.noglasses": "off",
    }  # fmt: skip


@pytest.mark.parametrize("ending", ["", ".png", ".GIF", ".jpg", ".pgm", ".jfif", ".Tiff"])
def test_yale_is_read_whatever_its_photos_end_in(tmp_path, touch_tree, ending):
    touch_tree(f"subject01.happy{ending}", "subject02.normal", "Readme.txt")
    photos = read(tmp_path).photos
    assert photos["photo"].tolist() == [f"subject01.happy{ending}", "subject02.normal"]
    assert photos["expression"].tolist() == ["happiness", "neutral"]


def test_a_picture_of_another_name_is_told_in_yale_too(tmp_path, touch_tree):
    touch_tree("subject01.happy", "me.png")
    with pytest.raises(DataSetError, match=r"me\.png: must be named like subject01\.happy"):
        read(tmp_path)
