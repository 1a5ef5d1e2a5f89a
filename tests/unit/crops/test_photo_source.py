import io

import numpy as np
import pytest
from PIL import Image

from dwmtl.crops.photo_source import open_photos
from dwmtl.datasets.adapters import read_data_set
from dwmtl.datasets.packs.bin_pack import write_bin_pack
from dwmtl.datasets.packs.record_pack_writer import write_record_pack
from dwmtl.datasets.params import SetParams
from dwmtl.errors import DataSetError, UnreadablePhotoError


def png(value: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (value, 0, 0)).save(file, "PNG")
    return file.getvalue()


def params(role: str, adapter: str, folder) -> SetParams:
    return SetParams(role=role, adapter=adapter, folder=str(folder), is_aligned=True)


def test_pictures_of_a_record_pack_are_read_from_the_pack(tmp_path):
    write_record_pack(tmp_path / "pack", [(0, png(10)), (0, png(20)), (1, png(30))], height_px=8, width_px=8)
    photos = read_data_set("faces", params("identity", "record_pack", tmp_path / "pack"), num_peak_frames=1).photos
    assert photos["subject"].tolist() == ["0000000", "0000000", "0000001"]
    read = open_photos("record_pack", tmp_path / "pack")
    assert [int(read(photo)[0, 0, 0]) for photo in photos["photo"]] == [10, 20, 30]


def test_pictures_and_pairs_of_a_bin_pack_are_read_from_the_pack(tmp_path):
    write_bin_pack(tmp_path / "lfw.bin", [png(value) for value in range(40)], [True, False] * 10)
    data_set = read_data_set("lfw", params("verification", "bin_pack", tmp_path), num_peak_frames=1)
    assert len(data_set.photos) == 40
    assert data_set.pairs["fold"].tolist() == list(np.repeat(np.arange(10), 2))
    read = open_photos("bin_pack", tmp_path)
    assert int(read(data_set.pairs["photo_b"].iloc[3])[0, 0, 0]) == 7


def test_a_folder_with_two_bin_packs_is_told(tmp_path):
    for name in ("a.bin", "b.bin"):
        write_bin_pack(tmp_path / name, [png(0)] * 20, [True] * 10)
    with pytest.raises(DataSetError, match=r"2 files end in \.bin; exactly one pack"):
        read_data_set("lfw", params("verification", "bin_pack", tmp_path), num_peak_frames=1)


def test_a_picture_of_a_pack_that_cannot_be_decoded_is_named(tmp_path):
    write_record_pack(tmp_path / "pack", [(0, b"no picture"), (1, png(1))], height_px=8, width_px=8)
    with pytest.raises(UnreadablePhotoError, match=r"0000000/000000001: not a whole picture"):
        open_photos("record_pack", tmp_path / "pack")("0000000/000000001")


def test_the_real_pack_is_read(testdata):
    folder = testdata / "real" / "recordio"
    if not folder.is_dir():
        pytest.skip(f"{folder}: no such folder")
    photos = read_data_set("pack", params("identity", "record_pack", folder), num_peak_frames=1).photos
    read = open_photos("record_pack", folder)
    assert all(read(photo).shape[2] == 3 for photo in photos["photo"].head(5))
