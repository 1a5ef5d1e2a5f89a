"""Crops in shards: archives that a later run takes over."""

import runpy
import shutil
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from PIL import Image

from dwmtl.crops.aligned import read_crop

align_small = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("align_small.py"))))
run, FACES, NAMES = align_small.run, align_small.FACES, align_small.NAMES


def test_archives_hold_the_same_crops_as_files(photos, tmp_path):
    files = run(NAMES, photos, tmp_path / "files").crops
    archives = run(NAMES, photos, tmp_path / "archives", crops_a_shard=4).crops
    pd.testing.assert_frame_equal(files.drop(columns="crop"), archives.drop(columns="crop"))
    assert archives["crop"].tolist()[0] == f"shards/00000.zip/{files['crop'][0]}"
    for file, place in zip(files["crop"], archives["crop"], strict=True):
        assert (file == "") == (place == "")
        if file:
            assert (read_crop(tmp_path / "files" / file) == read_crop(tmp_path / "archives" / place)).all()


def test_a_shard_without_a_crop_has_no_archive(photos, tmp_path):
    crops = run(["truncated.jpeg", "gone.jpeg", FACES[0]], photos, tmp_path / "out", crops_a_shard=2).crops
    assert crops["crop"].tolist() == ["", "", f"shards/00001.zip/photos/{FACES[0]}.png"]
    assert [path.name for path in (tmp_path / "out/shards").iterdir()] == ["00001.zip"]


def test_finished_shards_are_taken_and_stale_ones_cleared(tmp_path, caplog):
    caplog.set_level("INFO")
    photos = tmp_path / "photos"
    photos.mkdir()
    names = [f"{number}.png" for number in range(6)]
    for name in names:
        Image.new("RGB", (50, 50), (int(name[0]), 0, 0)).save(photos / name)
    run(names, photos, tmp_path / "out", crops_a_shard=2)
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out.work").iterdir()}
    Image.new("RGB", (50, 60)).save(photos / "3.png")
    (tmp_path / "out.work" / "00001-left.99.partial").mkdir()
    crops = run(names, photos, tmp_path / "out2", crops_a_shard=2).crops
    assert len(crops) == 6
    assert "finished already" not in caplog.text  # another output, another work folder
    (tmp_path / "out2.work").rename(tmp_path / "out2.other")
    (tmp_path / "out.work").rename(tmp_path / "out2.work")
    again = run(names, photos, tmp_path / "out2", crops_a_shard=2)
    assert "2 of 3 shards are finished already" in caplog.text
    pd.testing.assert_frame_equal(again.crops, crops)
    later = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out2.work").iterdir()}
    assert sorted(name[:5] for name in later) == ["00000", "00001", "00002"]
    assert {name[:5] for name in times if later.get(name) == times[name]} == {"00000", "00002"}


@pytest.mark.parametrize(("name", "place"), [("crops.zip", 0.3), ("crops.zip", 0.99), ("rows.json", 0.5)])
def test_a_shard_with_a_flipped_bit_is_made_again(tmp_path, caplog, name, place):
    photos = tmp_path / "photos"
    photos.mkdir()
    names = [f"{number}.png" for number in range(4)]
    for photo in names:
        Image.new("RGB", (50, 50), (int(photo[0]), 0, 0)).save(photos / photo)
    whole = run(names, photos, tmp_path / "out", crops_a_shard=2).crops
    shard = min((tmp_path / "out.work").iterdir())
    data = bytearray((shard / name).read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x20
    (shard / name).write_bytes(data)
    shutil.rmtree(tmp_path / "out")
    again = run(names, photos, tmp_path / "out", crops_a_shard=2).crops
    assert f"{shard} is damaged (its SHA-256 differs); its photos are aligned again." in caplog.text
    pd.testing.assert_frame_equal(again, whole)


def test_other_settings_take_no_shard(photos, tmp_path, caplog):
    caplog.set_level("INFO")
    run(FACES[:1], photos, tmp_path / "out")
    run(FACES[:1], photos, tmp_path / "out", crop_px=80)
    assert "finished already" not in caplog.text
    assert len(list((tmp_path / "out.work").iterdir())) == 1
