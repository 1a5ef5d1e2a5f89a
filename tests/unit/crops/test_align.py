import multiprocessing
import os
import runpy
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from dwmtl.crops.align import threads_of, workers_for
from dwmtl.crops.aligned import read_crop
from dwmtl.crops.photos import read_photo
from dwmtl.errors import DataSetError

align_small = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("align_small.py"))))
run, FACES, NAMES = align_small.run, align_small.FACES, align_small.NAMES


def test_every_rendered_face_is_found_and_cropped(photos, tmp_path):
    aligned = run(FACES, photos, tmp_path, crop_px=80)
    assert aligned.crops["status"].tolist() == ["aligned"] * 6
    assert (aligned.crops["confidence"] > 0.8).all()
    assert aligned.failures.empty
    for row in aligned.crops.itertuples():
        assert read_crop(tmp_path / row.crop).shape == (80, 80, 3)
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


@pytest.mark.parametrize("most_pixels", [1, 240 * 320])
def test_photos_beyond_the_pixels_of_a_batch_come_in_another_and_none_is_lost(
    photos, tmp_path, monkeypatch, most_pixels
):
    for limit in ("_ENOUGH_PIXELS", "_LARGE_PIXELS"):
        monkeypatch.setattr(f"dwmtl.crops.aligner.{limit}", most_pixels)
    names = [FACES[0], "tiny.png", "two.png", "truncated.jpeg", FACES[1], "none.png"]
    crops = run(names, photos, tmp_path, batch_size=3).crops
    assert crops["photo"].tolist() == names
    assert crops["status"].tolist() == ["aligned", "fallback", "aligned", "unreadable", "aligned", "fallback"]


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
    aligned = run(["none.png"], photos, tmp_path, is_aligned=True, crop_px=80)
    row = aligned.crops.iloc[0]
    assert (row["status"], row["chosen_by"], row["num_faces"]) == ("aligned", "declared", 1)
    assert read_crop(tmp_path / row["crop"]).shape == (80, 80, 3)
    assert aligned.failures.empty


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def threads_of_torch(num: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(num)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def test_threads_do_not_change_a_byte(photos, tmp_path):
    with threads_of_torch(1):
        one = run(NAMES, photos, tmp_path / "one", batch_size=2)
    with threads_of_torch(4):
        four = run(NAMES, photos, tmp_path / "four", batch_size=2)
    pd.testing.assert_frame_equal(one.crops, four.crops)
    assert contents(tmp_path / "one") == contents(tmp_path / "four")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_slow_photo_holds_up_no_other_batch(photos, tmp_path):
    """Both photos are pipes; the first one's bytes come once the second is being read."""
    first, second, picture = tmp_path / "first.jpeg", tmp_path / "second.jpeg", (photos / FACES[0]).read_bytes()
    for pipe in (first, second):
        os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        aligning = pool.submit(run, [first.name, second.name], tmp_path, tmp_path / "out", batch_size=1)
        ends = {pipe: opened_once_read(pipe, timeout_s=60) for pipe in (second, first)}
        is_second_read = ends[second] is not None
        for pipe in (first, second):
            end = ends[pipe] or opened_once_read(pipe, timeout_s=60)
            if end is not None:
                with os.fdopen(end, "wb") as file:
                    file.write(picture)
        assert aligning.result().crops["status"].tolist() == ["aligned", "aligned"]
    assert is_second_read


def opened_once_read(pipe: Path, *, timeout_s: float) -> int | None:
    """The descriptor of a pipe's end to write to, as soon as somebody reads; None after the time."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads
            time.sleep(0.01)
    return None


@pytest.mark.parametrize("num_workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_once_a_crop_cannot_be_written_the_run_ends_and_its_processes_too(photos, tmp_path, monkeypatch, num_workers):
    monkeypatch.setattr("dwmtl.crops.align._PHOTOS_PER_SHARD", 1)
    out, names = tmp_path / "out", FACES * 4
    out.mkdir()
    (out / "photos").write_text("a file where a folder of crops belongs")
    with threads_of_torch(3):
        with pytest.raises(OSError, match="photos") as error:  # kept, and with it the frames that it came through
            run(names, photos, out, num_workers=num_workers)
        assert torch.get_num_threads() == 3
    made = list((tmp_path / "out.work").rglob("rows.json"))
    assert 1 <= len(made) <= 1 + 2 * num_workers  # a few shards of 24 are handed out ahead
    assert not multiprocessing.active_children()
    assert "photos" in str(error.value)


@pytest.mark.slow
def test_processes_do_not_change_a_byte(photos, tmp_path):
    alone = run(NAMES, photos, tmp_path / "alone", crops_a_shard=3)
    shared = run(NAMES, photos, tmp_path / "shared", crops_a_shard=3, batch_size=1, num_workers=2)
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
    ("num_photos", "cores", "num_workers"),
    [(400, 8, 0), (1499, 8, 1), (2999, 8, 3), (7701, 2, 2), (7701, 8, 8), (10**6, 64, 16)],
)
def test_a_large_set_is_aligned_by_a_process_per_core_and_a_small_one_by_the_stages_own(num_photos, cores, num_workers):
    assert workers_for(num_photos, cores=cores) == num_workers


@pytest.mark.parametrize(
    ("device", "cores", "detecting", "others"),
    [("cpu", 0, 1, 2), ("cpu", 2, 2, 2), ("cpu", 64, 8, 2), ("cuda", 1, 1, 1), ("cuda", 4, 1, 4), ("cuda", 64, 1, 8)],
)
def test_as_many_threads_detect_as_there_are_cores_and_one_on_a_gpu(device, cores, detecting, others):
    assert threads_of(torch.device(device), cores=cores) == (detecting, others)
