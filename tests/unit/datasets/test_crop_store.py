import multiprocessing

import numpy as np
import pytest
from PIL import Image

from dwmtl.datasets.crop_store import CropWriter
from dwmtl.datasets.crops import read_crop

CROPS = [Image.new("RGB", (8, 8), (value, 0, 0)) for value in range(5)]


def write(folder, crops_a_shard: int | None) -> list[str]:
    folder.mkdir()
    with CropWriter(folder, crops_a_shard=crops_a_shard) as writer:
        return [writer.write(f"P1/{number}.jpg", crop) for number, crop in enumerate(CROPS)]


@pytest.mark.parametrize("crops_a_shard", [None, 2, 5, 100])
def test_every_crop_is_read_as_it_was_written(tmp_path, crops_a_shard):
    places = write(tmp_path / "set", crops_a_shard)
    for place, crop in zip(places, CROPS, strict=True):
        assert np.array_equal(read_crop(tmp_path / "set" / place), np.array(crop))


def test_an_archive_holds_so_many(tmp_path):
    places = write(tmp_path / "set", 2)
    assert [place.split("/photos/")[0] for place in places] == [f"shards/0000{shard}.zip" for shard in (0, 0, 1, 1, 2)]
    assert sorted(path.name for path in (tmp_path / "set/shards").iterdir()) == [f"0000{n}.zip" for n in range(3)]


def test_the_same_crops_give_the_same_bytes(tmp_path):
    for name in ("first", "second"):
        write(tmp_path / name, 3)
    for shard in ("00000.zip", "00001.zip"):
        first, second = ((tmp_path / name / "shards" / shard).read_bytes() for name in ("first", "second"))
        assert first == second


def read_all(paths: list[str]) -> list[int]:
    return [int(read_crop(path)[0, 0, 0]) for path in paths]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_processes_that_share_a_parent_do_not_disturb_one_another(tmp_path):
    paths = [str(tmp_path / "set" / place) for place in write(tmp_path / "set", 100)]
    assert read_all(paths) == list(range(5))  # the parent has the archive open when it forks
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(read_all, [paths] * 8) == [list(range(5))] * 8
