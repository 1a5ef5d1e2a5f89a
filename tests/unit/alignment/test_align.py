from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from dwmtl.alignment.align import align
from dwmtl.alignment.detector import Detector
from dwmtl.datasets.crops import read_crop
from dwmtl.datasets.photo_source import open_photos
from dwmtl.datasets.photos import read_photo
from dwmtl.datasets.rendered.sets import render_oulu_casia
from dwmtl.errors import DataSetError
from dwmtl.params import load_params
from dwmtl.tables import MANIFEST


@pytest.fixture(scope="module")
def detector() -> Detector:
    params = load_params().align
    return Detector(
        min_face_px=params.min_face_px,
        thresholds=params.thresholds,
        pyramid_factor=params.pyramid_factor,
        device=torch.device("cpu"),
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Rendered faces of one subject, and photos that are difficult in one way each."""
    folder = tmp_path_factory.mktemp("photos")
    render = load_params().render.model_copy(update={"num_expression_subjects": 1, "num_frames": 4})
    render_oulu_casia(folder, render)
    face = read_photo(folder / "VL/Strong/P001/Happiness/000.jpeg")
    Image.fromarray(np.concatenate([face, face], axis=1)).save(folder / "two.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 40, (240, 320, 3), dtype=np.uint8)).save(folder / "none.png")
    Image.fromarray(face[:20, :20]).save(folder / "tiny.png")
    (folder / "truncated.jpeg").write_bytes((folder / "VL/Strong/P001/Happiness/000.jpeg").read_bytes()[:900])
    return folder


def manifest(*names: str, role: str = "identity") -> pd.DataFrame:
    table = pd.DataFrame({"photo": names}).reindex(columns=list(MANIFEST))
    return table.assign(role=role)


def run(names: list[str], photos: Path, out: Path, detector: Detector):
    return align(manifest(*names), photos, out, detector, load_params().align, read=open_photos("folders", photos))


FACES = [f"VL/Strong/P001/{name}/000.jpeg" for name in ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")]


def test_every_rendered_face_is_found_and_cropped(photos, tmp_path, detector):
    aligned = run(FACES, photos, tmp_path, detector)
    assert aligned.crops["status"].tolist() == ["aligned"] * 6
    assert (aligned.crops["confidence"] > 0.8).all()
    assert aligned.failures.empty
    for row in aligned.crops.itertuples():
        assert read_crop(tmp_path / row.crop).shape == (112, 112, 3)
        assert row.box_x1_px < row.left_eye_x_px < row.nose_x_px < row.right_eye_x_px < row.box_x2_px
        assert row.left_eye_y_px < row.nose_y_px < row.left_mouth_y_px


def test_difficult_photos_are_counted_and_listed(photos, tmp_path, detector):
    names = ["two.png", "none.png", "tiny.png", "truncated.jpeg", "gone.jpeg", FACES[0]]
    aligned = run(names, photos, tmp_path, detector)
    crops = aligned.crops.set_index("photo")
    assert crops.index.tolist() == names
    assert crops["status"].tolist() == ["aligned", "fallback", "fallback", "unreadable", "unreadable", "aligned"]
    assert crops.loc["two.png", "num_faces"] == 2
    assert crops.loc["two.png", "chosen_by"] == "center_weighted_size"
    assert crops.loc["none.png", "chosen_by"] == "photo_center"
    assert (tmp_path / crops.loc["none.png", "crop"]).is_file()
    assert crops.loc["truncated.jpeg", "crop"] == ""
    reasons = aligned.failures.set_index("photo")["reason"]
    assert "no face found" in reasons["none.png"]
    assert "not a whole picture" in reasons["truncated.jpeg"]
    assert "no such file" in reasons["gone.jpeg"]


def test_batching_does_not_change_a_crop(photos, tmp_path, detector):
    together, alone = tmp_path / "together", tmp_path / "alone"
    run([*FACES, "none.png"], photos, together, detector)
    for name in FACES:
        run([name], photos, alone, detector)
        crop = f"photos/{name}.png"
        a, b = (read_crop(folder / crop).astype(int) for folder in (together, alone))
        assert np.abs(a - b).mean() < 1  # the detector's sums differ in the last digit


def test_the_same_photos_give_the_same_bytes(photos, tmp_path, detector):
    for folder in ("a", "b"):
        run(FACES, photos, tmp_path / folder, detector)
    for name in FACES:
        crop = f"photos/{name}.png"
        assert (tmp_path / "a" / crop).read_bytes() == (tmp_path / "b" / crop).read_bytes()


def test_waiting_photos_are_bounded_in_pixels(photos, tmp_path, detector, monkeypatch):
    monkeypatch.setattr("dwmtl.alignment.align._MAX_WAITING_PIXELS", 240 * 320)
    names = [FACES[0], "tiny.png", "two.png", FACES[1], "none.png"]
    crops = run(names, photos, tmp_path, detector).crops
    assert crops["photo"].tolist() == names
    assert crops["status"].tolist() == ["aligned", "fallback", "aligned", "aligned", "fallback"]


@pytest.mark.parametrize("side", [46, 47, 48])
def test_a_photo_no_larger_than_the_smallest_face_is_one_without(side):
    small = Detector(min_face_px=47, thresholds=[0.6, 0.7, 0.7], pyramid_factor=0.709, device=torch.device("cpu"))
    assert [len(found) for found in small(np.zeros((2, side, 90, 3), np.uint8))] == [0, 0]


def test_unused_frames_are_passed_over(photos, tmp_path, detector):
    aligned = align(
        manifest(FACES[0], role="unused"),
        photos,
        tmp_path,
        detector,
        load_params().align,
        read=open_photos("folders", photos),
    )
    assert aligned.crops.empty


@pytest.mark.parametrize("name", ["../escape.png", "/etc/passwd", "a/../../b.png"])
def test_a_path_that_leaves_the_set_is_refused(photos, tmp_path, detector, name):
    with pytest.raises(DataSetError, match="lies outside the set's folder"):
        run([name], photos, tmp_path / "out", detector)
    assert not list(tmp_path.rglob("*.png"))


def test_real_edge_cases_are_told_apart(testdata, tmp_path, detector):
    names = ["several_faces.jpg", "no_face.png", "rgba.png"]
    crops = run(names, testdata / "real" / "edge", tmp_path, detector).crops.set_index("photo")
    assert crops.loc["several_faces.jpg", "num_faces"] > 1
    assert crops.loc["no_face.png", "status"] == "fallback"
    assert crops.loc["rgba.png", "status"] == "aligned"


def test_pictures_that_are_crops_already_are_scaled_and_nothing_is_looked_for(photos, tmp_path):
    aligned = align(
        manifest("none.png"), photos, tmp_path, None, load_params().align, read=open_photos("folders", photos)
    )
    row = aligned.crops.iloc[0]
    assert (row["status"], row["chosen_by"], row["num_faces"]) == ("aligned", "declared", 1)
    assert read_crop(tmp_path / row["crop"]).shape == (112, 112, 3)
    assert aligned.failures.empty
