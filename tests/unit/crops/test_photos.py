import functools
import os
import runpy
import struct
import threading
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from dwmtl.crops import photos, picture_file
from dwmtl.crops.photos import decode_photo, photo_pixels, read_photo
from dwmtl.errors import UnreadablePhotoError

pictures = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("pictures.py"))))
SMOOTH, encoded = pictures.SMOOTH, pictures.encoded
RED = Image.new("RGB", (6, 4), (200, 30, 40))


def test_a_photo_is_rgb_whatever_its_file_is_called(tmp_path):
    path = tmp_path / "subject01.happy"
    path.write_bytes(encoded(RED.quantize(4), "GIF"))
    photo = read_photo(path)
    assert photo.shape == (4, 6, 3)
    assert photo.dtype == np.uint8
    assert np.abs(photo.astype(int) - [200, 30, 40]).max() < 8


def test_transparency_is_dropped_onto_white(tmp_path):
    picture = Image.new("RGBA", (2, 1), (10, 20, 30, 255))
    picture.putpixel((1, 0), (10, 20, 30, 0))
    picture.save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png").tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_sixteen_bit_grey_keeps_its_whole_range(tmp_path):
    Image.fromarray(np.array([[0, 32768, 65535]], dtype=np.uint16)).save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png")[0, :, 0].tolist() == [0, 128, 255]


def test_cmyk_is_read(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(RED.convert("CMYK"), "JPEG"))
    assert np.abs(read_photo(tmp_path / "a.jpg").astype(int) - [200, 30, 40]).max() < 12


def test_grey_is_read_as_three_equal_channels(tmp_path):
    Image.new("L", (3, 2), 77).save(tmp_path / "a.png")
    assert (read_photo(tmp_path / "a.png") == 77).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"no picture at all", r"not a whole picture \(none of .*BMP, .*, WEBP\)"),
        (encoded(RED.resize((64, 64)), "JPEG")[:-200], "not a whole picture"),
        (encoded(RED.resize((64, 64)), "PNG")[:-30], "not a whole picture"),
        (encoded(RED, "JPEG")[:20], "not a whole picture"),
    ],
)
def test_a_file_that_is_no_whole_picture_is_named(tmp_path, content, reason):
    (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(UnreadablePhotoError, match=rf"bad\.jpg: {reason}"):
        read_photo(tmp_path / "bad.jpg")


def test_a_format_that_would_run_another_program_is_refused(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(RED, "EPS"))
    with pytest.raises(UnreadablePhotoError, match="not a whole picture"):
        read_photo(tmp_path / "a.jpg")


def test_a_missing_photo_is_named(tmp_path):
    with pytest.raises(UnreadablePhotoError, match=r"gone\.jpg: no such file"):
        read_photo(tmp_path / "gone.jpg")


def test_a_photo_beyond_the_limit_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(photos, "MAX_PIXELS", 23)
    RED.save(tmp_path / "a.png")
    with pytest.raises(UnreadablePhotoError, match="6x4 is more than 23 pixels"):
        read_photo(tmp_path / "a.png")


@pytest.mark.parametrize("photo", [RED, RED.convert("RGBA"), np.array(RED), np.array(RED.convert("RGBA"))])
def test_a_picture_and_its_pixels_are_a_photo_too(photo, tmp_path):
    RED.save(tmp_path / "a.png")
    np.testing.assert_array_equal(photo_pixels(photo, "a"), read_photo(tmp_path / "a.png"))
    np.testing.assert_array_equal(photo_pixels(tmp_path / "a.png", "a"), read_photo(tmp_path / "a.png"))


def test_grey_pixels_become_rgb():
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    np.testing.assert_array_equal(photo_pixels(grey, "a"), grey[..., None].repeat(3, axis=2))


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, 3, 3)),
        np.zeros((3, 2, 5), np.uint8),
        np.zeros((1, 2, 3, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_pixels_of_another_shape_or_type_are_told(pixels):
    with pytest.raises(UnreadablePhotoError, match=r"photo 7: pixels must be \(H, W, 3\) uint8, RGB\. Got \("):
        photo_pixels(pixels, "photo 7")


def test_pixels_and_pictures_beyond_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(photos, "MAX_PIXELS", 23)
    for photo in (RED, np.array(RED)):
        with pytest.raises(UnreadablePhotoError, match="a: 6x4 is more than 23 pixels"):
            photo_pixels(photo, "a")


def test_a_damaged_file_of_a_picture_is_told_when_it_is_decoded(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(RED.resize((60, 40)), "PNG")[:-40])
    with Image.open(tmp_path / "a.png") as picture, pytest.raises(UnreadablePhotoError, match="a: not a whole picture"):
        photo_pixels(picture, "a")


@pytest.mark.parametrize(
    "name", ["edge/rgba.png", "edge/no_face.png", "edge/several_faces.jpg", "yale/subject01.happy"]
)
def test_real_photos_are_read(testdata, name):
    assert read_photo(testdata / "real" / name).shape[2] == 3


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (RecursionError("deep"), "deep"),
        (AttributeError(), "AttributeError"),
        (SystemError("c"), "c"),
        (UserWarning("odd"), "odd"),
    ],
)
def test_whatever_a_decoder_raises_is_an_unreadable_photo(monkeypatch, error, what):
    def broken(self, *arguments):
        raise error

    monkeypatch.setattr(JpegImageFile, "load_prepare", broken)
    with pytest.raises(UnreadablePhotoError, match=rf"a: not a whole picture \({what}\)\. Copy it"):
        decode_photo(encoded(SMOOTH, "JPEG"), "a")


def test_a_photo_is_read_the_same_where_warnings_are_errors():
    """Pillow warns of a palette's transparency in bytes, and of tags with too many values."""
    palette = encoded(SMOOTH.quantize(8), "PNG", transparency=bytes([0, 128, 255]))
    tiff = encoded(SMOOTH, "TIFF")
    place = tiff.index(struct.pack("<HHI", 256, 4, 1)) + 4
    tiff = tiff[:place] + struct.pack("<I", 2) + tiff[place + 4 :]  # two widths
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode_photo(palette, "a").shape == (64, 96, 3)
        with pytest.raises(UnreadablePhotoError):
            decode_photo(tiff, "a")


@pytest.mark.parametrize("write", ["fifo", "/dev/fd"])
def test_a_pipe_is_read(tmp_path, write):
    picture = encoded(SMOOTH.resize((600, 400)), "PNG")  # more than a pipe holds
    if write == "fifo":
        path = tmp_path / "pipe"
        os.mkfifo(path)
        end = path.open
    else:
        reader, writer = os.pipe()
        path = Path(f"/dev/fd/{reader}")
        end = functools.partial(os.fdopen, writer)

    def send() -> None:
        with end("wb") as pipe:
            pipe.write(picture)

    threading.Thread(target=send, daemon=True).start()
    np.testing.assert_array_equal(read_photo(path), decode_photo(picture, "a"))


def test_an_endless_or_empty_special_file_is_told():
    for path, what in (
        ("/dev/zero", "not a whole picture"),
        ("/dev/null", "the file is empty"),
        ("/", "a folder, not a photo"),
    ):
        with pytest.raises(UnreadablePhotoError, match=f"{path}: {what}"):
            read_photo(Path(path))


def test_no_more_than_the_limit_of_bytes_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_file, "MAX_FILE_BYTES", 2**20)
    with (tmp_path / "a.jpg").open("wb") as file:
        file.write(encoded(SMOOTH, "JPEG"))
        file.truncate(2**40)  # a hole
    with pytest.raises(UnreadablePhotoError, match="more than 1 MiB"):
        read_photo(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("name", "what"),
    [("a" * 300, "cannot be read .File name too long"), ("a\0b", "not a file name"), ("x/y", "no such file")],
)
def test_a_name_that_no_file_can_have_is_told(tmp_path, name, what):
    with pytest.raises(UnreadablePhotoError, match=what):
        read_photo(tmp_path / name)


def test_a_loop_of_links_is_told(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(UnreadablePhotoError, match=r"a: cannot be read \(Too many levels of symbolic links"):
        read_photo(tmp_path / "a")
