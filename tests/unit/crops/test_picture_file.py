"""How large a picture may be, and how much work decoding its file may ask for."""

import runpy
import struct
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from dwmtl.crops.photos import decode_photo
from dwmtl.errors import UnreadablePhotoError

pictures = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("pictures.py"))))
SMOOTH, encoded = pictures.SMOOTH, pictures.encoded
png_chunk, tiff_directory = pictures.png_chunk, pictures.tiff_directory


@pytest.mark.parametrize(("width", "height"), [(20_000, 10_000), (9_000, 10_000), (60_000, 60_000)])
def test_a_picture_beyond_the_limit_is_told_to_be_too_large(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)
    gif = b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + b"," + bytes(9)
    bmp = b"BM" + bytes(12) + struct.pack("<IiiHHIIiiII", 40, width, -height, 1, 24, 0, 0, 0, 0, 0, 0)
    tiff = encoded(Image.new("L", (3, 2)), "TIFF")
    for tag, side in ((256, width), (257, height)):
        place = tiff.index(struct.pack("<HHI", tag, 4, 1)) + 8
        tiff = tiff[:place] + struct.pack("<I", side) + tiff[place + 4 :]
    for data in (png, gif, bmp, tiff, b"P5 # all\n%d %d 255\n" % (width, height)):
        with pytest.raises(UnreadablePhotoError, match=f"a: {width}x{height} is more than 64000000 pixels. Scale it"):
            decode_photo(data, "a")


def scan_bomb(num_scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    data = encoded(Image.new("L", (64, 64), 128), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * num_scans + data[-2:]


def jpeg_in_tiff(jpeg: bytes) -> bytes:
    tags = {256: 64, 257: 64, 258: 8, 259: 7, 262: 1, 273: 8, 277: 1, 278: 64, 279: len(jpeg)}
    return b"II*\0" + struct.pack("<I", 8 + len(jpeg)) + jpeg + tiff_directory(tags)


def overlapping_tiff() -> bytes:
    """Each of 20,000 strips is the whole file."""
    num = 20_000
    body = bytes(10_000)
    lists = struct.pack(f"<{num}I", *[8] * num) + struct.pack(f"<{num}I", *[len(body)] * num)
    places = {273: 8 + len(body), 279: 8 + len(body) + 4 * num}
    tags = {256: 64, 257: num, 258: 8, 259: 1, 262: 1, 273: 0, 277: 1, 278: 1, 279: 0}
    directory = b"".join(
        struct.pack("<HHII", tag, 4, num if tag in places else 1, places.get(tag, value)) for tag, value in tags.items()
    )
    header = b"II*\0" + struct.pack("<I", 8 + len(body) + len(lists))
    return header + body + lists + struct.pack("<H", len(tags)) + directory + bytes(4)


def tile_bomb() -> bytes:
    """A canvas of 60,000 x 1 in tiles of 16 x 60,000."""
    tags = {256: 60_000, 257: 1, 258: 8, 259: 1, 262: 1, 277: 1, 322: 16, 323: 60_000, 324: 8, 325: 8}
    return b"II*\0" + struct.pack("<IQ", 16, 0) + tiff_directory(tags)


def png_of_chunks(num: int) -> bytes:
    data = encoded(SMOOTH, "PNG")
    return data[:33] + png_chunk(b"IDAT", b"") * num + data[33:]


BOMBS = {
    "2,000 scans": (lambda: scan_bomb(2000), "more than 100 scans"),
    "101 scans": (lambda: scan_bomb(101), "more than 100 scans"),
    "scans in a TIFF": (lambda: jpeg_in_tiff(scan_bomb(2000)), "more than 100 scans"),
    "segments": (
        lambda: b"\xff\xd8" + b"\xff\xfe\0\2" * 200_000 + encoded(SMOOTH, "JPEG")[2:],
        "more than 100000 segments",
    ),
    "chunks": (lambda: png_of_chunks(200_000), "more than 100000 chunks"),
    "RIFF chunks": (
        lambda: b"RIFF" + struct.pack("<I", 2**24) + b"WEBP" + (b"junk" + bytes(4)) * 200_000,
        "more than 100000 chunks",
    ),
    "GIF blocks": (lambda: encoded(SMOOTH, "GIF")[:13] + b"!\xfe\0" * 200_000, "more than 100000 blocks"),
    "strips": (overlapping_tiff, "tiles overlap"),
    "tiles": (tile_bomb, "tiles are far larger"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_that_is_dear_to_decode_is_refused_with_the_cure(name):
    make, what = BOMBS[name]
    data = make()
    start = time.process_time()
    with pytest.raises(UnreadablePhotoError, match=f"a: .*{what}.*Save it as a new"):
        decode_photo(data, "a")
    assert time.process_time() - start < 2


def test_as_many_scans_and_chunks_as_real_files_have_are_read():
    assert decode_photo(scan_bomb(50), "a").shape == (64, 64, 3)
    assert decode_photo(png_of_chunks(5000), "a").shape == (64, 96, 3)
    assert decode_photo(encoded(SMOOTH.convert("CMYK"), "JPEG", progressive=True), "a").shape == (64, 96, 3)


def test_a_long_comment_in_a_gif_is_passed_over_at_once():
    data = encoded(SMOOTH, "GIF")
    comment = b"!\xfe" + (b"\xff" + bytes(255)) * 100_000 + b"\0"
    start = time.process_time()
    photo = decode_photo(data[: 13 + 768] + comment + data[13 + 768 :], "a")
    np.testing.assert_array_equal(photo, decode_photo(data, "a"))
    assert time.process_time() - start < 2
