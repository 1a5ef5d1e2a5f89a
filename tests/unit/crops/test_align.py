import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from dwmtl.crops.align import Aligned, Source, align, workers_for
from dwmtl.crops.aligned import read_crop
from dwmtl.crops.detector import Detector
from dwmtl.crops.photos import read_photo
from dwmtl.errors import DataSetError
from dwmtl.params import load_params
from dwmtl.rendered.sets import render_oulu_casia
from dwmtl.tables import MANIFEST


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


def manifest(*names: str, use: str = "train") -> pd.DataFrame:
    table = pd.DataFrame({"photo": names}).reindex(columns=list(MANIFEST))
    return table.assign(use=use)


def run(
    names: list[str],
    photos: Path,
    out: Path,
    *,
    use: str = "train",
    adapter: str = "folders",
    is_aligned=False,
    num_workers=0,
    enlarge_to_px=None,
    **changes,
) -> Aligned:
    """Align photos into a folder that need not be there; `changes` to the repository's `align` section."""
    out.mkdir(parents=True, exist_ok=True)
    return align(
        manifest(*names, use=use),
        Source(adapter, photos, is_aligned, enlarge_to_px),
        out,
        load_params().align.model_copy(update=changes),
        work_dir=out.with_name(f"{out.name}.work"),
        device=torch.device("cpu"),
        num_workers=num_workers,
    )


FACES = [f"VL/Strong/P001/{name}/000.jpeg" for name in ("Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise")]


def test_every_rendered_face_is_found_and_cropped(photos, tmp_path):
    aligned = run(FACES, photos, tmp_path)
    assert aligned.crops["status"].tolist() == ["aligned"] * 6
    assert (aligned.crops["confidence"] > 0.8).all()
    assert aligned.failures.empty
    for row in aligned.crops.itertuples():
        assert read_crop(tmp_path / row.crop).shape == (112, 112, 3)
        assert row.box_x1_px < row.left_eye_x_px < row.nose_x_px < row.right_eye_x_px < row.box_x2_px
        assert row.left_eye_y_px < row.nose_y_px < row.left_mouth_y_px


def test_difficult_photos_are_counted_and_listed(photos, tmp_path):
    names = ["two.png", "none.png", "tiny.png", "truncated.jpeg", "gone.jpeg", FACES[0]]
    aligned = run(names, photos, tmp_path)
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


def test_batching_does_not_change_a_crop(photos, tmp_path):
    together, alone = tmp_path / "together", tmp_path / "alone"
    run([*FACES, "none.png"], photos, together)
    for name in FACES:
        run([name], photos, alone)
        crop = f"photos/{name}.png"
        a, b = (read_crop(folder / crop).astype(int) for folder in (together, alone))
        assert np.abs(a - b).mean() < 1  # the detector's sums differ in the last digit


def test_the_same_photos_give_the_same_bytes(photos, tmp_path):
    for folder in ("a", "b"):
        run(FACES, photos, tmp_path / folder)
    for name in FACES:
        crop = f"photos/{name}.png"
        assert (tmp_path / "a" / crop).read_bytes() == (tmp_path / "b" / crop).read_bytes()


def test_waiting_photos_are_bounded_in_pixels(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("dwmtl.crops.aligner._MAX_WAITING_PIXELS", 240 * 320)
    names = [FACES[0], "tiny.png", "two.png", FACES[1], "none.png"]
    crops = run(names, photos, tmp_path).crops
    assert crops["photo"].tolist() == names
    assert crops["status"].tolist() == ["aligned", "fallback", "aligned", "aligned", "fallback"]


@pytest.mark.parametrize("side", [46, 47, 48])
def test_a_photo_no_larger_than_the_smallest_face_is_one_without(side):
    small = Detector(min_face_px=47, thresholds=[0.6, 0.7, 0.7], pyramid_factor=0.709, device=torch.device("cpu"))
    assert [len(found) for found in small(np.zeros((2, side, 90, 3), np.uint8))] == [0, 0]


def test_unused_frames_are_passed_over(photos, tmp_path):
    aligned = run(FACES[:1], photos, tmp_path, use="unused")
    assert aligned.crops.empty


@pytest.mark.parametrize("name", ["../escape.png", "/etc/passwd", "a/../../b.png"])
def test_a_path_that_leaves_the_set_is_refused(photos, tmp_path, name):
    with pytest.raises(DataSetError, match="lies outside the set's folder"):
        run([name], photos, tmp_path / "out")
    assert not list(tmp_path.rglob("*.png"))


def test_real_edge_cases_are_told_apart(testdata, tmp_path):
    names = ["several_faces.jpg", "no_face.png", "rgba.png"]
    crops = run(names, testdata / "real" / "edge", tmp_path).crops.set_index("photo")
    assert crops.loc["several_faces.jpg", "num_faces"] > 1
    assert crops.loc["no_face.png", "status"] == "fallback"
    assert crops.loc["rgba.png", "status"] == "aligned"


def test_pictures_that_are_crops_already_are_scaled_and_nothing_is_looked_for(photos, tmp_path):
    aligned = run(["none.png"], photos, tmp_path, is_aligned=True)
    row = aligned.crops.iloc[0]
    assert (row["status"], row["chosen_by"], row["num_faces"]) == ("aligned", "declared", 1)
    assert read_crop(tmp_path / row["crop"]).shape == (112, 112, 3)
    assert aligned.failures.empty


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


NAMES = [*FACES, "none.png", "truncated.jpeg", "two.png", "tiny.png"]


@pytest.mark.slow
def test_processes_do_not_change_a_byte(photos, tmp_path):
    alone = run(NAMES, photos, tmp_path / "alone", crops_a_shard=3)
    shared = run(NAMES, photos, tmp_path / "shared", crops_a_shard=3, num_workers=2)
    pd.testing.assert_frame_equal(alone.crops, shared.crops)
    pd.testing.assert_frame_equal(alone.failures, shared.failures)
    assert contents(tmp_path / "alone") == contents(tmp_path / "shared")


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_set_that_cannot_be_opened_is_one_message_whoever_opens_it(photos, tmp_path, num_workers):
    with pytest.raises(DataSetError, match=r"train\.rec|train\.idx"):
        run(
            ["0000001/000000001", "0000002/000000002"],
            photos,
            tmp_path / "out",
            adapter="record_pack",
            is_aligned=True,
            crops_a_shard=1,
            num_workers=num_workers,
        )


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
    run(FACES[:1], photos, tmp_path / "out", crop_px=96)
    assert "finished already" not in caplog.text
    assert len(list((tmp_path / "out.work").iterdir())) == 1


@pytest.mark.parametrize("form", ["margin_in_photo", "similarity"])
def test_every_form_of_a_crop_shows_the_face(photos, tmp_path, form):
    plain = run(FACES[:1], photos, tmp_path / "plain")
    run(FACES[:1], photos, tmp_path / "other", crop_form=form, margin_px=32)
    a, b = (read_crop(tmp_path / folder / plain.crops["crop"][0]).astype(float) for folder in ("plain", "other"))
    assert 1 < np.abs(a - b).mean() < 60


@pytest.fixture(scope="module")
def small(photos, tmp_path_factory) -> Path:
    """The rendered faces cut out and made 32 pixels high, one of them not square."""
    folder = tmp_path_factory.mktemp("small")
    large = run(FACES, photos, tmp_path_factory.mktemp("large"), crop_form="margin_in_crop", margin_px=30)
    for number, (name, row) in enumerate(zip(FACES, large.crops.itertuples(), strict=True)):
        box = [int(value) for value in (row.box_x1_px, row.box_y1_px, row.box_x2_px, row.box_y2_px)]
        face = Image.fromarray(read_photo(photos / name)).crop((box[0] - 8, box[1] - 8, box[2] + 8, box[3] + 8))
        face.resize((28 if number == 0 else 32, 32)).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize(("form", "crop_px"), [("similarity", [112, 96]), ("margin_in_crop", 112)])
def test_faces_of_32_pixels_are_found_once_they_are_enlarged(small, tmp_path, form, crop_px):
    names = [f"{number}.png" for number in range(6)]
    as_they_are = run(names, small, tmp_path / "as_they_are", crop_form=form, crop_px=crop_px)
    assert set(as_they_are.crops["status"]) == {"fallback"}
    enlarged = run(names, small, tmp_path / "enlarged", crop_form=form, crop_px=crop_px, enlarge_to_px=160).crops
    assert enlarged["status"].tolist() == ["aligned"] * 6
    for row in enlarged.itertuples():  # in pixels of the small photo
        assert 0 < row.left_eye_x_px < row.nose_x_px < row.right_eye_x_px < 32
        assert 0 < row.left_eye_y_px < row.nose_y_px < row.left_mouth_y_px < 32
        assert read_crop(tmp_path / "enlarged" / row.crop).shape == (112, 96 if form == "similarity" else 112, 3)


def test_photos_that_are_large_enough_keep_their_bytes(photos, tmp_path):
    for side in (None, 100):
        run(FACES[:1], photos, tmp_path / str(side), enlarge_to_px=side)
    crop = f"photos/{FACES[0]}.png"
    assert (tmp_path / "None" / crop).read_bytes() == (tmp_path / "100" / crop).read_bytes()


def test_shards_of_another_enlargement_are_not_taken(small, tmp_path):
    def crop(side):
        run(["1.png"], small, tmp_path / "out", enlarge_to_px=side)
        return (tmp_path / "out/photos/1.png.png").read_bytes()

    assert crop(160) != crop(None)


@pytest.mark.parametrize(
    ("num_photos", "num_cores", "num_workers"),
    [(400, 8, 0), (999, 8, 1), (1999, 8, 3), (7701, 2, 2), (7701, 8, 8), (10**6, 64, 16)],
)
def test_a_large_set_is_aligned_by_a_process_per_core_and_a_small_one_by_the_stages_own(
    num_photos, num_cores, num_workers
):
    assert workers_for(num_photos, num_cores=num_cores) == num_workers
