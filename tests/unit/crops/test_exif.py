"""A picture's metadata: its orientation is applied, and nothing else of it changes a pixel or costs time."""

import io
import runpy
import struct
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageOps, features
from PIL.PngImagePlugin import PngInfo

from dwmtl.crops.photos import decode_photo, photo_pixels

pictures = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("pictures.py"))))
SMOOTH, encoded, png_chunk = pictures.SMOOTH, pictures.encoded, pictures.png_chunk


def exif(*entries: tuple[int, int, int, bytes], orientation: int = 6) -> bytes:
    """A block of EXIF, little-endian, with an orientation and further entries (tag, type, count, value)."""
    entries = [(0x0112, 3, 1, struct.pack("<HH", orientation, 0)), *entries]
    directory, values, place = struct.pack("<H", len(entries)), b"", 8 + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in entries:
        inline = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", place + len(values))
        directory += struct.pack("<HHI", tag, kind, count) + inline
        values += value if len(value) > 4 else b""
    return b"II*\0" + struct.pack("<I", 8) + directory + bytes(4) + values


ODD_TAGS = {
    "a signed rational with a zero": (0x011A, 10, 1, struct.pack("<ii", -1, 0)),
    "text for a number": (0x011A, 2, 3, b"72\0"),
    "a rational for text": (0x0131, 5, 1, struct.pack("<II", 1, 1)),
    "a number of 8 bytes": (0x9999, 16, 1, struct.pack("<Q", 2**63)),
    "an unknown type": (0x010E, 99, 5, b"abcde"),
    "values beyond the file": (0x010F, 2, 2**31, b"\xff\xff\xff\x7f"),
    "a directory that is itself": (0x8769, 4, 1, struct.pack("<I", 8)),
    "undefined text in UTF-16": (0x9286, 7, 10, b"UNICODE\0\xff\xfe"),
}


def with_exif(data: bytes, form: str, block: bytes) -> bytes:
    """An encoded picture with a block of EXIF that no library has looked at."""
    if form == "JPEG":
        segment = b"Exif\0\0" + block
        return data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:]
    if form == "PNG":
        return data[:33] + png_chunk(b"eXIf", block) + data[33:]
    body = data[12:] + b"EXIF" + struct.pack("<I", len(block)) + block + bytes(len(block) % 2)
    size = b"".join(int(side - 1).to_bytes(3, "little") for side in SMOOTH.size)
    body = b"VP8X" + struct.pack("<I", 10) + b"\x08\0\0\0" + size + body
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


@pytest.mark.parametrize("tag", ODD_TAGS)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_an_odd_exif_tag_costs_neither_the_picture_nor_its_orientation(form, tag):
    plain = encoded(SMOOTH, form, **({"lossless": True} if form == "WEBP" else {}))
    turned = decode_photo(with_exif(plain, form, exif(ODD_TAGS[tag])), "a")
    np.testing.assert_array_equal(turned, np.rot90(decode_photo(plain, "a"), -1))


@pytest.mark.parametrize("tag", ODD_TAGS)
def test_an_odd_tag_in_a_tiff_costs_neither_the_picture_nor_its_orientation(tag):
    """A TIFF's own directory holds what is EXIF elsewhere."""
    data = encoded(SMOOTH, "TIFF")
    (place,) = struct.unpack_from("<I", data, 4)
    (num,) = struct.unpack_from("<H", data, place)
    entries = {e[:2]: e for e in (data[at : at + 12] for at in range(place + 2, place + 2 + 12 * num, 12))}
    for entry in ((0x0112, 3, 1, b"\6\0"), ODD_TAGS[tag]):
        value = entry[3].ljust(4, b"\0") if len(entry[3]) <= 4 else struct.pack("<I", len(data))
        entries[struct.pack("<H", entry[0])] = struct.pack("<HHI", *entry[:3]) + value
        data += entry[3]
    directory = struct.pack("<H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries)) + bytes(4)
    odd = data[:4] + struct.pack("<I", len(data)) + data[8:] + directory
    np.testing.assert_array_equal(decode_photo(odd, "a"), np.rot90(np.array(SMOOTH), -1))


def test_the_exif_orientation_is_applied():
    tags = Image.Exif()
    tags[0x0112] = 6  # to be turned by a quarter, clockwise
    picture = Image.new("RGB", (8, 4))
    picture.paste((255, 0, 0), (0, 0, 4, 4))
    photo = decode_photo(encoded(picture, "PNG", exif=tags), "a")
    assert photo.shape == (8, 4, 3)
    assert photo[0, 0, 0] == 255  # what was on the left is on top
    assert photo[7, 0, 0] == 0


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["II", "MM"])
def test_an_orientation_is_what_pillow_makes_of_it(orientation, order):
    block = exif(orientation=orientation)
    if order == "MM":
        tag = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
        block = b"MM\0*" + struct.pack(">IH", 8, 1) + tag + bytes(4)
    data = with_exif(encoded(SMOOTH, "PNG"), "PNG", block)
    with Image.open(io.BytesIO(data)) as picture:
        np.testing.assert_array_equal(decode_photo(data, "a"), np.array(ImageOps.exif_transpose(picture)))
    with Image.open(io.BytesIO(data)) as picture:
        np.testing.assert_array_equal(photo_pixels(picture, "a"), decode_photo(data, "a"))


def test_an_orientation_in_xmp_or_imagemagicks_text_is_applied():
    turned = np.rot90(np.array(SMOOTH), -1)
    xmp, text = PngInfo(), PngInfo()
    xmp.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>', zip=True)
    text.add_text("Raw profile type exif", f"\nexif\n{100:8}\n{(b'Exif' + bytes(2) + exif()).hex()}\n", zip=True)
    for info in (xmp, text):
        np.testing.assert_array_equal(decode_photo(encoded(SMOOTH, "PNG", pnginfo=info), "a"), turned)
    jpeg = encoded(SMOOTH, "JPEG", xmp=b"<tiff:Orientation>6</tiff:Orientation>")
    assert decode_photo(jpeg, "a").shape == (96, 64, 3)


@pytest.mark.parametrize(
    "block", [b"", b"II", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff", bytes(40)]
)
def test_damaged_exif_leaves_a_picture_as_it_is_stored(block):
    data = with_exif(encoded(SMOOTH, "PNG"), "PNG", block)
    np.testing.assert_array_equal(decode_photo(data, "a"), np.array(SMOOTH))


def test_large_metadata_costs_no_picture():
    texts, xmp = PngInfo(), PngInfo()
    for number in range(80):
        texts.add_text(f"note{number}", "x" * 1_000_000, zip=True)
    xmp.add_itxt("XML:com.adobe.xmp", "y" * 2_000_000, zip=True)
    for metadata in ({"icc_profile": bytes(1_500_000)}, {"pnginfo": texts}, {"pnginfo": xmp}):
        np.testing.assert_array_equal(decode_photo(encoded(SMOOTH, "PNG", **metadata), "a"), np.array(SMOOTH))


def test_a_metadata_chunk_whose_checksum_is_wrong_costs_no_picture():
    data = encoded(SMOOTH, "PNG", icc_profile=b"profile")
    place = data.index(b"iCCP")
    damaged = data[: place + 6] + b"?" + data[place + 7 :]
    np.testing.assert_array_equal(decode_photo(damaged, "a"), np.array(SMOOTH))


def test_many_tags_on_the_same_bytes_are_not_copied():
    """10,000 tags that each name the same megabyte would be 10 GB."""
    block = b"II*\0" + struct.pack("<IH", 8, 10_000)
    block += b"".join(struct.pack("<HHII", 1000 + number, 7, 2**20, 8) for number in range(10_000)) + bytes(2**20)
    data = with_exif(encoded(SMOOTH, "PNG"), "PNG", block)
    start = time.process_time()
    assert decode_photo(data, "a").shape == (64, 96, 3)
    assert time.process_time() - start < 2


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow decodes no AVIF")
def test_an_odd_tag_in_an_avif_costs_neither_the_picture_nor_its_orientation():
    data = encoded(SMOOTH, "AVIF", quality=95, exif=exif((0x010E, 2, 13, b"some picture\0")))
    entry = struct.pack("<HHI", 0x010E, 2, 13)
    odd = data.replace(entry, struct.pack("<HHI", *ODD_TAGS["a signed rational with a zero"][:2], 13))
    assert odd != data
    for picture in (data, odd):
        assert decode_photo(picture, "a").shape == (96, 64, 3)
