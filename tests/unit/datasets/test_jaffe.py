import pytest

from dwmtl.datasets.adapters import read_data_set
from dwmtl.datasets.params import SetParams
from dwmtl.errors import DataSetError


def read(folder):
    return read_data_set(
        "expression",
        SetParams(role="expression", adapter="jaffe", folder=str(folder)),
        num_peak_frames=3,
    )


def test_the_name_says_subject_and_expression(make_tree):
    names = ["AN1.39", "DI1.42", "FE4.48", "HA1.29", "NE1.26", "NE2.27", "SA1.33", "SU1.36"]
    photos = read(make_tree(*[f"KA.{name}.tiff" for name in names], "YM.SU3.60.tiff")).photos
    assert photos["expression"].tolist() == [
        "anger",
        "disgust",
        "fear",
        "happiness",
        "neutral",
        "neutral",
        "sadness",
        "surprise",
        "surprise",
    ]
    assert photos["subject"].tolist() == ["KA"] * 8 + ["YM"]
    assert set(photos.loc[photos["expression"] == "neutral", "use"]) == {"neutral"}
    assert set(photos.loc[photos["expression"] != "neutral", "use"]) == {"peak"}
    assert set(photos["sequence"]) == {""}


def test_what_is_no_picture_is_passed_over(make_tree):
    folder = make_tree("KA.AN1.39.jpg")
    (folder / "README_FIRST.txt").write_text("ten women")
    assert read(folder).photos["photo"].tolist() == ["KA.AN1.39.jpg"]


@pytest.mark.parametrize("name", ["KA.BO1.39.tiff", "KA.AN.39.tiff", "KAT.AN1.39.tiff", "face.png"])
def test_another_name_is_named(make_tree, name):
    with pytest.raises(DataSetError, match=rf"{name}: must be named like KA\.AN1\.39\.tiff"):
        read(make_tree(name))
