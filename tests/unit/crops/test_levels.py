"""Pictures of more than 8 bit: which of a sample's values are black and white."""

import runpy
import struct
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from dwmtl.crops.photos import decode_photo, photo_pixels
from dwmtl.errors import UnreadablePhotoError

pictures = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("pictures.py"))))
encoded, png_chunk, tiff_directory = pictures.encoded, pictures.png_chunk, pictures.tiff_directory

RAMP = np.linspace(0, 1, 200).reshape(10, 20)
AS_8_BIT = (RAMP * 255).round()


def tiff_of(values: np.ndarray, **tags: object) -> bytes:
    directory = ImageFileDirectory_v2()
    for tag, value in tags.items():
        directory[int(tag[1:])] = value
    return encoded(Image.fromarray(values), "TIFF", tiffinfo=directory)


def _packed_12_bit() -> bytes:
    """A TIFF of 12 bit a sample, two in three bytes."""
    values = (RAMP * 4095).round().astype(np.uint16).ravel()
    a, b = values[::2], values[1::2]
    strip = np.stack([a >> 4, (a & 15) << 4 | b >> 8, b & 255], axis=1).astype(np.uint8).tobytes()
    tags = {256: 20, 257: 10, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 10, 279: len(strip)}
    return b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + tiff_directory(tags)


def _png_rgb_16(grey: np.ndarray) -> bytes:
    rows = b"".join(b"\0" + row.astype(">u2").repeat(3).tobytes() for row in grey)
    header = struct.pack(">IIBBBBB", *grey.shape[::-1], 16, 2, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _png_16(values: np.ndarray, significant_bits: int | None = None) -> bytes:
    data = encoded(Image.fromarray(values), "PNG")
    if significant_bits is None:
        return data
    return data[:33] + png_chunk(b"sBIT", bytes([significant_bits])) + data[33:]


SCALED = {
    "PGM of 10 bit": b"P5 20 10 1023\n" + (RAMP * 1023).round().astype(">u2").tobytes(),
    "PGM of 14 bit": b"P5 20 10 16383\n" + (RAMP * 16383).round().astype(">u2").tobytes(),
    "PNG of 16 bit": _png_16((RAMP * 65535).round().astype(np.uint16)),
    "PNG of 12 bit in the lower ones": _png_16((RAMP * 4095).round().astype(np.uint16), 12),
    "PNG of 12 bit in the upper ones": _png_16((RAMP * 4095).round().astype(np.uint16) * 16, 12),
    "TIFF of 12 bit": _packed_12_bit(),
    "TIFF of 16 bit": tiff_of((RAMP * 65535).round().astype(np.uint16)),
    "TIFF of 16 bit, white at 1023": tiff_of((RAMP * 1023).round().astype(np.uint16), _281=1023),
    "TIFF of 32 bit, white at 70000": tiff_of((RAMP * 70000).round().astype(np.int32), _341=70000),
    "TIFF of numbers, white at 1": tiff_of(RAMP.astype(np.float32), _341=1.0),
    "TIFF of numbers, from -1 to 1": tiff_of((RAMP * 2 - 1).astype(np.float32), _340=-1.0, _341=1.0),
}


@pytest.mark.parametrize("name", SCALED)
def test_grey_of_more_than_8_bit_is_scaled_by_what_the_file_says(name):
    photo = decode_photo(SCALED[name], "a")
    assert np.abs(photo - AS_8_BIT[..., None]).max() <= 1


def test_a_tiff_of_16_bit_whose_white_is_0_is_turned():
    data = tiff_of((RAMP * 65535).round().astype(np.uint16))
    place = data.index(struct.pack("<HHI", 262, 3, 1)) + 8
    inverted = data[:place] + b"\0\0" + data[place + 2 :]
    assert np.abs(decode_photo(inverted, "a") - (255 - AS_8_BIT[..., None])).max() <= 1


UNKNOWN = {
    "PNG of 10 bit that does not say so": _png_16((RAMP * 1023).round().astype(np.uint16)),
    "PNG of 14 bit that does not say so": _png_16((RAMP * 16383).round().astype(np.uint16)),
    "TIFF of 12 bit that does not say so": tiff_of((RAMP * 4095).round().astype(np.uint16)),
    "TIFF of 32 bit": tiff_of((RAMP * 255).round().astype(np.int32)),
    "TIFF of numbers": tiff_of(RAMP.astype(np.float32)),
    "PFM": b"Pf\n20 10\n-1.0\n" + RAMP.astype("<f4").tobytes(),
    "PNG of 12 bit colour": _png_rgb_16((RAMP * 4095).round().astype(np.uint16)),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_where_nothing_says_which_value_is_white_that_is_told(name):
    with pytest.raises(
        UnreadablePhotoError, match=r"a: .*the file does not define which (value )?is white; save it as 8"
    ):
        decode_photo(UNKNOWN[name], "a")


def test_colour_of_16_bit_and_a_black_picture_are_read():
    colour = decode_photo(_png_rgb_16((RAMP * 65535).round().astype(np.uint16)), "a")
    assert np.abs(colour - AS_8_BIT[..., None]).max() <= 1
    assert not decode_photo(_png_16(np.zeros((4, 4), np.uint16)), "a").any()


def test_pictures_of_pillow_with_wide_numbers_are_scaled_or_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(SCALED["PNG of 16 bit"])
    with Image.open(tmp_path / "a.png") as picture:
        assert np.abs(photo_pixels(picture, "a") - AS_8_BIT[..., None]).max() <= 1
    for values in (np.full((4, 4), 200, np.int32), np.full((4, 4), 0.5, np.float32)):
        with pytest.raises(UnreadablePhotoError, match="which is white"):
            photo_pixels(Image.fromarray(values), "a")
