import io
import multiprocessing
import os

import numpy as np
import pytest
from PIL import Image

from dwmtl.crops.aligned import read_crop
from dwmtl.crops.store import CropArchive, open_crop, put_archive, put_files
from dwmtl.errors import DataSetError

CROPS = [Image.new("RGB", (8, 8), (value, 0, 0)) for value in range(5)]


def archive_of(path) -> list[str]:
    with CropArchive(path) as archive:
        places = []
        for number, crop in enumerate(CROPS):
            picture = io.BytesIO()
            crop.save(picture, "PNG")
            places.append(archive.write(f"P1/{number}.jpg", picture.getvalue()))
        return places


def write(folder, put=lambda archive, folder: put_archive(archive, folder, 12)) -> list[str]:
    folder.mkdir()
    archive = folder.with_suffix(".zip")
    names = archive_of(archive)
    start = put(archive, folder)
    return [start + name for name in names]


@pytest.mark.parametrize("put", [put_files, lambda archive, folder: put_archive(archive, folder, 3)])
def test_every_crop_is_read_as_it_was_written(tmp_path, put):
    places = write(tmp_path / "set", put)
    for place, crop in zip(places, CROPS, strict=True):
        assert np.array_equal(read_crop(tmp_path / "set" / place), np.array(crop))


def test_a_photo_whose_name_is_as_long_as_may_be_has_a_crop_of_its_own(tmp_path):
    with CropArchive(tmp_path / "a.zip") as archive:
        names = [f"P1/{letter * (252 // len(letter.encode()))}{end}" for letter in ("a", "é") for end in ("xyz", "xyw")]
        places = [archive.write(name, name.encode()) for name in names]
        places += [archive.write(name, name.encode(), face=3) for name in names]
    (tmp_path / "set").mkdir()
    put_files(tmp_path / "a.zip", tmp_path / "set")
    assert [(tmp_path / "set" / place).read_text() for place in places] == names * 2


def test_a_place_names_the_archive_and_the_photo(tmp_path):
    assert write(tmp_path / "set")[0] == "shards/00012.zip/photos/P1/0.jpg.png"
    assert write(tmp_path / "other", put_files)[0] == "photos/P1/0.jpg.png"


def test_the_same_crops_give_the_same_bytes(tmp_path):
    archive_of(tmp_path / "first.zip")
    archive_of(tmp_path / "second.zip")
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()


def test_an_archive_takes_no_second_place_on_the_disk(tmp_path):
    write(tmp_path / "set")
    assert os.stat(tmp_path / "set/shards/00012.zip").st_nlink == 2


def read_all(paths: list[str]) -> list[int]:
    return [int(read_crop(path)[0, 0, 0]) for path in paths]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_processes_that_share_a_parent_do_not_disturb_one_another(tmp_path):
    paths = [str(tmp_path / "set" / place) for place in write(tmp_path / "set")]
    assert read_all(paths) == list(range(5))  # the parent has the archive open when it forks
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(read_all, [paths] * 8) == [list(range(5))] * 8


def test_a_crop_is_read_from_a_folder_that_is_called_like_an_archive(tmp_path):
    """The photo's folder, or the checkout's."""
    place = tmp_path / "dwmtl.zip/aligned"
    picture = io.BytesIO()
    Image.new("RGB", (3, 2)).save(picture, "PNG")
    with CropArchive(tmp_path / "crops.zip") as archive:
        name = archive.write("b.zip/a.jpg", picture.getvalue())
    place.mkdir(parents=True)
    put_files(tmp_path / "crops.zip", place)
    start = put_archive(tmp_path / "crops.zip", place, 7)
    for crop in (place / name, f"{place}/{start}{name}"):
        with open_crop(crop) as opened:
            assert opened.size == (3, 2)


@pytest.mark.parametrize("put", [put_files, lambda archive, folder: put_archive(archive, folder, 12)])
def test_a_crop_with_a_flipped_bit_is_told(tmp_path, put):
    """In a file or an archive, in any place of the picture's pixels."""
    folder = tmp_path / "aligned"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    picture = io.BytesIO()
    Image.fromarray(pixels).save(picture, "PNG")
    with CropArchive(tmp_path / "crops.zip") as archive:
        name = archive.write("a.jpg", picture.getvalue())
    crop = f"{folder}/{put(tmp_path / 'crops.zip', folder)}{name}"
    (file,) = (path for path in folder.rglob("*") if path.is_file())
    data = file.read_bytes()
    start = data.index(picture.getvalue()) + 60
    for place in range(start, start + 600, 150):
        file.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        os.utime(file, ns=(place, place))
        with pytest.raises(DataSetError, match=r"a damaged crop .* Delete it and run `dvc repro`"):
            read_crop(crop)
