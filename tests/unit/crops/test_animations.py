"""Pictures of several frames."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, features

from dwmtl.crops import picture_file
from dwmtl.crops.photos import is_animated, read_frames, read_photo
from dwmtl.errors import UnreadablePhotoError

pictures = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("pictures.py"))))
NOISE, SMOOTH, encoded = pictures.NOISE, pictures.SMOOTH, pictures.encoded

FRAMES = [Image.new("RGB", (40, 30), (red, 60, 30)) for red in (10, 90, 170, 250)]


def animation(form: str, frames: list[Image.Image] = FRAMES) -> bytes:
    lossless = {"lossless": True} if form == "WEBP" else {}
    return encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=100, **lossless)


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_an_animated_picture_gives_its_frames_and_as_a_photo_the_first(tmp_path, form):
    path = tmp_path / "clip"
    path.write_bytes(animation(form))
    assert is_animated(path)
    reds = [frame[0, 0, 0] for frame in read_frames(path)]
    assert np.abs(np.array(reds, int) - [10, 90, 170, 250]).max() <= 3
    assert abs(int(read_photo(path)[0, 0, 0]) - 10) <= 3


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow decodes no AVIF")
def test_an_avif_may_be_animated(tmp_path):
    (tmp_path / "moving").write_bytes(encoded(SMOOTH, "AVIF", save_all=True, append_images=[SMOOTH.rotate(90)]))
    assert is_animated(tmp_path / "moving")


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "JPEG", "TIFF", "BMP"])
def test_a_still_picture_is_not_animated(tmp_path, form):
    (tmp_path / "still.gif").write_bytes(encoded(FRAMES[0], form))
    assert not is_animated(tmp_path / "still.gif")
    assert len(list(read_frames(tmp_path / "still.gif"))) == 1


def test_pages_of_a_tiff_are_no_animation(tmp_path):
    FRAMES[0].save(tmp_path / "a.tiff", save_all=True, append_images=FRAMES[1:])
    assert not is_animated(tmp_path / "a.tiff")
    assert read_photo(tmp_path / "a.tiff")[0, 0, 0] == 10


@pytest.mark.parametrize(("limit", "value"), [("MAX_FRAMES", 3), ("MAX_MOVING_PIXELS", 4000)])
def test_an_animation_of_too_many_frames_or_pixels_is_refused(tmp_path, monkeypatch, limit, value):
    monkeypatch.setattr(picture_file, limit, value)
    (tmp_path / "a.gif").write_bytes(animation("GIF"))
    with pytest.raises(UnreadablePhotoError, match="more than 3 frames of 40x30"):
        list(read_frames(tmp_path / "a.gif"))


@pytest.mark.parametrize("form", ["GIF", "WEBP"])
def test_a_damaged_frame_of_an_animation_is_told(tmp_path, form):
    noise = [Image.fromarray(np.roll(NOISE, shift, axis=0)) for shift in range(4)]
    data = animation(form, noise)
    (tmp_path / "a").write_bytes(data[: len(data) * 5 // 8])
    with pytest.raises(UnreadablePhotoError, match="a: not a whole picture"):
        list(read_frames(tmp_path / "a"))
