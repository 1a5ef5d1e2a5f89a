"""A folder per person."""

from pathlib import Path

from dwmtl.datasets.adapters import read_data_set
from dwmtl.datasets.params import SetParams


def read(folder: Path):
    source = SetParams(role="identity", adapter="folders", folder=str(folder))
    return read_data_set("identity", source, num_peak_frames=3)


def test_a_folder_a_person_is_read_without_what_is_no_picture(tmp_path, touch_tree):
    touch_tree("0001/a.JPG", "0001/notes.txt", "0000/b.png", "0002/.hidden.jpg", "list.csv")
    photos = read(tmp_path).photos
    assert photos["photo"].tolist() == ["0000/b.png", "0001/a.JPG"]
    assert photos["subject"].tolist() == ["0000", "0001"]
    assert set(photos["use"]) == {"train"}


def test_a_person_spread_over_folders_is_read_whole(make_tree):
    photos = read(make_tree("ann/1.jpg", "ann/001/2.jpg", "bob/1.jpg")).photos
    assert photos["photo"].tolist() == ["ann/001/2.jpg", "ann/1.jpg", "bob/1.jpg"]
    assert photos["subject"].tolist() == ["ann", "ann", "bob"]


def test_a_person_s_folder_is_read_however_deep_and_whatever_it_is_called(make_tree):
    folder = make_tree("ann/2020/may/3/1.jpg", "__bob__/1.jpg", "__MACOSX/ann/1.jpg")
    (folder / "ann" / "again").symlink_to(folder / "ann")
    photos = read(folder).photos
    assert photos["photo"].tolist() == ["__bob__/1.jpg", "ann/2020/may/3/1.jpg"]
    assert photos["subject"].tolist() == ["__bob__", "ann"]


JPEG = b"\xff\xd8\xff\xe0"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def test_a_picture_is_one_by_its_name_or_by_its_content(tmp_path, touch_tree):
    """A HEIC picture is listed, for alignment to say that it cannot be read."""
    touch_tree("ann/a.jfif", "ann/b.JPE", "ann/c.HEIC", "ann/notes", "ann/list.dat")
    (tmp_path / "ann/d").write_bytes(JPEG)
    (tmp_path / "ann/e.dat").write_bytes(HEIC)
    names = [photo.removeprefix("ann/") for photo in read(tmp_path).photos["photo"]]
    assert names == ["a.jfif", "b.JPE", "c.HEIC", "d", "e.dat"]


def test_two_spellings_of_a_person_are_one_person(tmp_path, touch_tree):
    """On Linux, folders of both forms of Unicode may lie side by side."""
    touch_tree("Jos\u00e9/1.jpg", "Jose\u0301/2.jpg")
    photos = read(tmp_path).photos
    assert set(photos["subject"]) == {"Jos\u00e9"}
    assert sorted(photos["photo"]) == sorted(["Jos\u00e9/1.jpg", "Jose\u0301/2.jpg"])
