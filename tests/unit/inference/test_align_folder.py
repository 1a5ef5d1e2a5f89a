import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dwmtl.crops.aligned import read_crop
from dwmtl.errors import DataSetError, ParamsError
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


@pytest.mark.parametrize("params", ["no_such_file.yaml", "train: {"])
def test_with_a_model_no_params_are_read(known, tmp_path, monkeypatch, params):
    """It says how its crops are cut: `params.yaml` may be missing, or wrong."""
    monkeypatch.chdir(tmp_path)
    if "{" in params:
        (tmp_path / "params.yaml").write_text(params)
    (tmp_path / "photos").mkdir()
    shutil.copy(known.photo("surprise"), tmp_path / "photos/a.jpg")
    path = Path("params.yaml" if "{" in params else params)
    counts = align_folder(Path("photos"), Path("crops"), params=path, model=known.model, device=CPU)
    assert counts["aligned"] == 1


def test_without_a_model_the_section_align_is_read_alone(known, tmp_path):
    (tmp_path / "photos").mkdir()
    shutil.copy(known.photo("surprise"), tmp_path / "photos/a.jpg")
    (tmp_path / "params.yaml").write_text("train: {no_such_key: 1}\nalign: {crop_px: 96}\n")
    align_folder(tmp_path / "photos", tmp_path / "crops", params=tmp_path / "params.yaml", model=None, device=CPU)
    assert read_crop(tmp_path / "crops/photos/a.jpg.png").shape == (96, 96, 3)
    (tmp_path / "params.yaml").write_text("align: {crop_pixels: 64}\n")
    with pytest.raises(ParamsError, match=r"align\.crop_pixels: unknown key\. Did you mean crop_px"):
        align_folder(tmp_path / "photos", tmp_path / "again", params=tmp_path / "params.yaml", model=None, device=CPU)


def test_every_face_of_a_photo_is_cropped_where_that_is_asked(known, tmp_path, write_params):
    source, out = tmp_path / "photos", tmp_path / "crops"
    source.mkdir()
    left, right = (np.array(Image.open(known.photo(expression))) for expression in ("neutral", "surprise"))
    Image.fromarray(np.hstack([left, right])).save(source / "two.png")
    Image.fromarray(left).save(source / "one.png")
    Image.new("RGB", (120, 100), "grey").save(source / "grey.png")
    params = write_params()
    counts = align_folder(source, out, params=params, model=None, device=CPU, all_faces=True)
    assert counts == {"aligned": 3, "fallback": 1, "unreadable": 0}
    crops = read_table(out / "crops.csv", CROPS)
    assert crops["crop"].tolist() == [
        "photos/grey.png.0.png",
        "photos/one.png.0.png",
        "photos/two.png.0.png",
        "photos/two.png.1.png",
    ]
    assert crops["num_faces"].tolist() == [0, 1, 2, 2]
    assert crops["chosen_by"].tolist() == ["photo_center", "all_faces", "all_faces", "all_faces"]
    _, _, *of_two = crops["box_x1_px"]
    assert sorted(x >= left.shape[1] for x in of_two) == [False, True]
    align_folder(source, tmp_path / "chosen", params=params, model=None, device=CPU)
    chosen = read_table(tmp_path / "chosen/crops.csv", CROPS)
    assert len(chosen) == 3
    (face,) = [crop for crop, x in zip(crops["crop"][2:], of_two, strict=True) if x == chosen["box_x1_px"][2]]
    np.testing.assert_array_equal(read_crop(out / face), read_crop(tmp_path / "chosen" / chosen["crop"][2]))


def test_photos_without_a_face_and_damaged_ones_are_counted_and_listed(known, tmp_path, write_params):
    source = tmp_path / "photos"
    source.mkdir()
    Image.new("RGB", (120, 100), "grey").save(source / "grey.png")
    (source / "damaged.jpg").write_bytes(known.photo("neutral").read_bytes()[:500])
    counts = align_folder(source, tmp_path / "crops", params=write_params(), model=None, device=CPU)
    assert counts == {"aligned": 0, "fallback": 1, "unreadable": 1}
    failures = read_table(tmp_path / "crops/failures.csv", FAILURES)
    assert failures["photo"].tolist() == ["damaged.jpg", "grey.png"]


@pytest.mark.parametrize("links", [{"a/up": ".."}, {"a/self": "."}, {"a/b": "../c", "c/a": "../a"}])
def test_a_link_back_to_a_folder_above_is_not_followed(known, tmp_path, write_params, links):
    source = tmp_path / "photos"
    for name in ("a", "c"):
        (source / name).mkdir(parents=True)
    shutil.copy(known.photo("neutral"), source / "a/1.jpg")
    for name, target in links.items():
        (source / name).symlink_to(target)
    counts = align_folder(source, tmp_path / "out", params=write_params(), model=None, device=torch.device("cpu"))
    assert 1 <= counts["aligned"] <= 4
    assert (tmp_path / "out/photos/a/1.jpg.png").exists()


@pytest.mark.parametrize("spelling", [".", "link"])
def test_a_folder_that_stays_in_its_place_is_filled(known, tmp_path, write_params, monkeypatch, spelling):
    source, here = tmp_path / "photos", tmp_path / "here"
    for folder in (source, here):
        folder.mkdir()
    shutil.copy(known.photo("neutral"), source / "1.jpg")
    (tmp_path / "link").symlink_to("here")
    params = write_params()
    monkeypatch.chdir(here if spelling == "." else tmp_path)
    align_folder(source, Path(spelling), params=params, model=None, device=torch.device("cpu"))
    assert sorted(path.name for path in here.iterdir()) == ["crops.csv", "failures.csv", "photos"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "link", "params.yaml", "photos"]


def test_a_folder_without_pictures_is_told(tmp_path, write_params):
    with pytest.raises(DataSetError, match="no pictures in this folder or below it"):
        align_folder(tmp_path, tmp_path / "crops", params=write_params(), model=None, device=CPU)
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(DataSetError, match=r"photo\.jpg: a file, not a folder\. Name the folder that holds it"):
        align_folder(tmp_path / "photo.jpg", tmp_path / "out", params=write_params(), model=None, device=CPU)
    with pytest.raises(DataSetError, match="no such folder"):
        align_folder(tmp_path / "missing", tmp_path / "crops", params=write_params(), model=None, device=CPU)
