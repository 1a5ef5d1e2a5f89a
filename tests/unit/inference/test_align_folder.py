import numpy as np
import pytest
import torch
from PIL import Image

from dwmtl.datasets.crops import read_crop
from dwmtl.errors import DataSetError
from dwmtl.inference.align_folder import align_folder
from dwmtl.tables import CROPS, FAILURES, read_table

CPU = torch.device("cpu")


def test_photos_in_folders_of_any_depth_are_cropped(known, tmp_path, write_params):
    out = tmp_path / "crops"
    counts = align_folder(known.photos, out, params=write_params({"align.crop_px": 96}), model=None, device=CPU)
    assert counts == {"aligned": 48, "fallback": 0, "unreadable": 0}
    crops = read_table(out / "crops.csv", CROPS)
    assert "VL/Strong/P001/Happiness/000.jpeg" in crops["photo"].tolist()
    assert {read_crop(out / crop).shape for crop in crops["crop"]} == {(96, 96, 3)}


def test_a_model_says_how_its_crops_are_cut(known, model, tmp_path, write_params):
    source = tmp_path / "photos"
    source.mkdir()
    Image.open(known.photo("surprise")).save(source / "a.png")
    align_folder(source, tmp_path / "crops", params=write_params(), model=known.model, device=CPU)
    crop = read_crop(tmp_path / "crops/photos/a.png.png")
    (face,) = model._finder.find([np.array(Image.open(source / "a.png"))])[0]
    np.testing.assert_array_equal(crop, face.crop)


def test_photos_without_a_face_and_damaged_ones_are_counted_and_listed(known, tmp_path, write_params):
    source = tmp_path / "photos"
    source.mkdir()
    Image.new("RGB", (120, 100), "grey").save(source / "grey.png")
    (source / "damaged.jpg").write_bytes(known.photo("neutral").read_bytes()[:500])
    counts = align_folder(source, tmp_path / "crops", params=write_params(), model=None, device=CPU)
    assert counts == {"aligned": 0, "fallback": 1, "unreadable": 1}
    failures = read_table(tmp_path / "crops/failures.csv", FAILURES)
    assert failures["photo"].tolist() == ["damaged.jpg", "grey.png"]


def test_a_folder_without_pictures_is_told(tmp_path, write_params):
    with pytest.raises(DataSetError, match="no pictures in this folder or below it"):
        align_folder(tmp_path, tmp_path / "crops", params=write_params(), model=None, device=CPU)
    with pytest.raises(DataSetError, match="no such folder"):
        align_folder(tmp_path / "missing", tmp_path / "crops", params=write_params(), model=None, device=CPU)
