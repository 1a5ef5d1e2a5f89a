import csv
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from dwmtl.datasets.adapters import ADAPTERS, read_data_set
from dwmtl.datasets.params import SetParams
from dwmtl.errors import DataSetError
from dwmtl.tables import MANIFEST, read_table, write_table


def read(adapter: str, folder: Path, role: str = "identity"):
    return read_data_set(role, SetParams(role=role, adapter=adapter, folder=str(folder)), num_peak_frames=3)


def test_an_unknown_adapter_lists_the_known(tmp_path):
    known = ", ".join(sorted(ADAPTERS))
    with pytest.raises(DataSetError, match=rf"sets\.identity\.adapter must be one of {known}\. Got 'lwf'"):
        read("lwf", tmp_path)


def test_a_missing_folder_names_its_key(tmp_path):
    with pytest.raises(DataSetError, match=r"gone: no such folder\. Set sets\.expression\.folder"):
        read("yale", tmp_path / "gone", "expression")


@pytest.mark.parametrize("adapter", ["ck_plus_48", "folders", "jaffe", "oulu_casia", "yale"])
def test_an_empty_folder_is_told(tmp_path, adapter):
    with pytest.raises(DataSetError, match=f"no photo in the layout of `{adapter}`"):
        read(adapter, tmp_path)


def test_a_set_that_does_not_serve_its_role_is_told(tmp_path, touch_tree):
    touch_tree("0001/a.jpg")
    with pytest.raises(DataSetError, match="no verification pairs"):
        read("folders", tmp_path, "verification")
    with pytest.raises(DataSetError, match="no expressions"):
        read("folders", tmp_path, "expression")


@pytest.fixture
def mapped(touch_tree) -> Callable[[dict], pd.DataFrame]:
    """`mapped(expressions)`: the photos of a small Yale, by name, with these common names of its expressions."""

    def read(expressions: dict) -> pd.DataFrame:
        names = ("1.happy", "1.normal", "1.wink", "2.sad", "2.glasses")
        folder = touch_tree(*[f"subject0{name}" for name in names])
        source = SetParams(role="expression", adapter="yale", folder=str(folder), expressions=expressions)
        return read_data_set("yale", source, num_peak_frames=1).photos.set_index("photo")

    return read


def test_expressions_get_their_common_names_and_those_without_one_are_left_out(mapped):
    names = {"happiness": "joy", "neutral": "neutral", "sadness": "grief", "wink": None}
    photos = mapped(names)
    assert photos["expression"].to_dict() == {
        "subject01.happy": "joy",
        "subject01.normal": "neutral",
        "subject01.wink": "",
        "subject02.glasses": "",
        "subject02.sad": "grief",
    }
    assert photos["use"].to_dict()["subject01.wink"] == "unused"
    assert photos["use"].to_dict()["subject02.glasses"] == "train"


def test_an_expression_that_becomes_neutral_is_a_reference(mapped):
    names = {"happiness": "happiness", "neutral": "neutral", "sadness": "sadness", "wink": "neutral"}
    assert mapped(names).loc["subject01.wink", "use"] == "neutral"


def test_expressions_without_a_common_name_are_listed(mapped):
    with pytest.raises(DataSetError, match=r"sets\.yale\.expressions has no common name for sadness, wink\. Name each"):
        mapped({"happiness": "happiness", "neutral": "neutral"})


JPEG = b"\xff\xd8\xff\xe0"
ODD_NAMES = [
    "a b.jpg",
    "a,b.jpg",
    'a"b.jpg',
    "a\u00a0b.jpg",
    "\u3042\u200d\u3044.jpg",
    "#1 %20.jpg",
    "-a.jpg",
    "a\\b.jpg",
    "NA",
    "b.zip/a.jpg",
    " a .jpg",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_that_a_file_system_takes_is_taken(tmp_path, touch_tree, name):
    """A folder's pictures, and those that a table names: all but control characters and line breaks."""
    touch_tree(f"ann/{name}")
    (tmp_path / "ann" / name).write_bytes(JPEG)  # it may have no ending
    assert read("folders", tmp_path).photos["photo"].tolist() == [f"ann/{name}"]
    with (tmp_path / "faces.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["photo", "subject"], [f"ann/{name}", "ann"]])
    photos = read("csv_table", tmp_path).photos
    write_table(photos, tmp_path / "manifest.csv")
    assert read_table(tmp_path / "manifest.csv", MANIFEST)["photo"].tolist() == [f"ann/{name}"]


@pytest.mark.parametrize("name", ["a\nb.jpg", "a\u2028b.jpg", "a\tb.jpg"])
def test_a_name_that_no_table_holds_is_told(tmp_path, touch_tree, name):
    touch_tree(f"ann/{name}")
    with pytest.raises(DataSetError, match="is not UTF-8 text on one line"):
        read("folders", tmp_path)
