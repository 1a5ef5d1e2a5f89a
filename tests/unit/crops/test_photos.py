import io

import numpy as np
import pytest
from PIL import Image

from dwmtl.crops import photos
from dwmtl.crops.photos import photo_pixels, read_photo
from dwmtl.errors import UnreadablePhotoError

RED = Image.new("RGB", (6, 4), (200, 30, 40))


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return data.getvalue()


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


def test_the_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    picture = Image.new("RGB", (8, 4))
    picture.paste((255, 0, 0), (0, 0, 4, 4))
    (tmp_path / "a.png").write_bytes(encoded(picture, "PNG", exif=exif))
    photo = read_photo(tmp_path / "a.png")
    assert photo.shape == (8, 4, 3)
    assert photo[0, 0, 0] == 255  # what was on the left is on top
    assert photo[7, 0, 0] == 0


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


@pytest.mark.parametrize("values", [np.full((4, 4), 0.5, np.float32), np.full((4, 4), 70000, np.int32)])
def test_pixels_of_no_known_range_are_refused(tmp_path, values):
    Image.fromarray(values).save(tmp_path / "a.tiff")
    with pytest.raises(UnreadablePhotoError, match="save it as 8 or 16 bit"):
        read_photo(tmp_path / "a.tiff")


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
