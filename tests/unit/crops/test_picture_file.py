"""What is read of a picture's file before it is decoded: its form, its orientation, and the work that it asks for."""

import io
import os
import struct
import threading
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from dwmtl.crops import picture_file
from dwmtl.crops.photos import FORMATS, decode_photo, is_animated, kind_of_file, photo_pixels, read_frames, read_photo
from dwmtl.errors import UnreadablePhotoError

NOISE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
SMOOTH = Image.fromarray(NOISE).resize((96, 64), Image.Resampling.BICUBIC)


def encoded(picture: Image.Image, form: str, **options) -> bytes:
    data = io.BytesIO()
    picture.save(data, form, **options)
    return data.getvalue()


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
        chunk = b"eXIf" + block
        return data[:33] + struct.pack(">I", len(block)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]
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


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["II", "MM"])
def test_an_orientation_is_what_pillow_makes_of_it(orientation, order):
    from PIL import ImageOps

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
    from PIL.PngImagePlugin import PngInfo

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


def test_large_metadata_costs_no_picture(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    large = PngInfo()
    for number in range(80):
        large.add_text(f"note{number}", "x" * 1_000_000, zip=True)
    pictures = {
        "a profile": encoded(SMOOTH, "PNG", icc_profile=bytes(1_500_000)),
        "texts": encoded(SMOOTH, "PNG", pnginfo=large),
        "XMP": encoded(SMOOTH, "PNG", pnginfo=_itxt("XML:com.adobe.xmp", "y" * 2_000_000)),
    }
    for data in pictures.values():
        np.testing.assert_array_equal(decode_photo(data, "a"), np.array(SMOOTH))


def _itxt(key: str, value: str):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt(key, value, zip=True)
    return info


def test_a_metadata_chunk_whose_checksum_is_wrong_costs_no_picture():
    data = encoded(SMOOTH, "PNG", icc_profile=b"profile")
    place = data.index(b"iCCP")
    damaged = data[: place + 6] + b"?" + data[place + 7 :]
    np.testing.assert_array_equal(decode_photo(damaged, "a"), np.array(SMOOTH))


@pytest.mark.parametrize(("width", "height"), [(20_000, 10_000), (9_000, 10_000), (60_000, 60_000)])
def test_a_picture_beyond_the_limit_is_told_to_be_too_large(width, height):
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    large = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + ihdr + struct.pack(">I", zlib.crc32(ihdr))
    gif = b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + b"," + bytes(9)
    bmp = b"BM" + bytes(12) + struct.pack("<IiiHHIIiiII", 40, width, -height, 1, 24, 0, 0, 0, 0, 0, 0)
    tiff = encoded(Image.new("L", (3, 2)), "TIFF")
    for tag, side in ((256, width), (257, height)):
        place = tiff.index(struct.pack("<HHI", tag, 4, 1)) + 8
        tiff = tiff[:place] + struct.pack("<I", side) + tiff[place + 4 :]
    for data in (large, gif, bmp, tiff, b"P5 # all\n%d %d 255\n" % (width, height)):
        with pytest.raises(UnreadablePhotoError, match=f"a: {width}x{height} is more than 64000000 pixels. Scale it"):
            decode_photo(data, "a")


@pytest.mark.parametrize("error", [RecursionError("deep"), AttributeError(), SystemError("c"), UserWarning("odd")])
def test_whatever_a_decoder_raises_is_an_unreadable_photo(monkeypatch, error):
    from PIL.JpegImagePlugin import JpegImageFile

    def broken(self, *arguments):
        raise error

    monkeypatch.setattr(JpegImageFile, "load_prepare", broken)
    with pytest.raises(UnreadablePhotoError, match=r"a: not a whole picture \((deep|AttributeError|c|odd)\)\. Copy it"):
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
        end = lambda mode: os.fdopen(writer, mode)  # noqa: E731

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


RAMP = np.linspace(0, 1, 200).reshape(10, 20)
AS_8_BIT = (RAMP * 255).round()


def tiff_of(values: np.ndarray, **tags: object) -> bytes:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

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
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    header = b"II*\0" + struct.pack("<I", 8 + len(strip))
    return header + strip + struct.pack("<H", len(tags)) + directory + bytes(4)


def _png_16(values: np.ndarray, significant_bits: int | None = None) -> bytes:
    data = encoded(Image.fromarray(values), "PNG")
    if significant_bits is None:
        return data
    chunk = b"sBIT" + bytes([significant_bits])
    return data[:33] + struct.pack(">I", 1) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


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
    "PNG of 12 bit colour": None,
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_where_nothing_says_which_value_is_white_that_is_told(name):
    data = UNKNOWN[name] or _png_rgb_16((RAMP * 4095).round().astype(np.uint16))
    with pytest.raises(
        UnreadablePhotoError, match=r"a: .*the file does not define which (value )?is white; save it as 8"
    ):
        decode_photo(data, "a")


def _png_rgb_16(grey: np.ndarray) -> bytes:
    rows = b"".join(b"\0" + row.astype(">u2").repeat(3).tobytes() for row in grey)
    chunks = {b"IHDR": struct.pack(">IIBBBBB", *grey.shape[::-1], 16, 2, 0, 0, 0), b"IDAT": zlib.compress(rows)}
    body = [
        struct.pack(">I", len(value)) + kind + value + struct.pack(">I", zlib.crc32(kind + value))
        for kind, value in (chunks | {b"IEND": b""}).items()
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


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


def scan_bomb(num_scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    data = encoded(Image.new("L", (64, 64), 128), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * num_scans + data[-2:]


def jpeg_in_tiff(jpeg: bytes) -> bytes:
    tags = {256: 64, 257: 64, 258: 8, 259: 7, 262: 1, 273: 8, 277: 1, 278: 64, 279: len(jpeg)}
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8 + len(jpeg)) + jpeg + struct.pack("<H", len(tags)) + directory + bytes(4)


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
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IQ", 16, 0) + struct.pack("<H", len(tags)) + directory + bytes(4)


def png_of_chunks(num: int) -> bytes:
    data = encoded(SMOOTH, "PNG")
    empty = bytes(4) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return data[:33] + empty * num + data[33:]


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


def test_many_tags_on_the_same_bytes_are_not_copied():
    """10,000 tags that each name the same megabyte would be 10 GB."""
    block = b"II*\0" + struct.pack("<IH", 8, 10_000)
    block += b"".join(struct.pack("<HHII", 1000 + number, 7, 2**20, 8) for number in range(10_000)) + bytes(2**20)
    data = with_exif(encoded(SMOOTH, "PNG"), "PNG", block)
    start = time.process_time()
    assert decode_photo(data, "a").shape == (64, 96, 3)
    assert time.process_time() - start < 2


def ftyp(*brands: str) -> bytes:
    body = b"ftyp" + brands[0].encode() + bytes(4) + "".join(brands[1:]).encode()
    return struct.pack(">I", 4 + len(body)) + body


STARTS = {
    "HEIC": ftyp("heic", "mif1", "heic"),
    "AVIF": ftyp("mif1", "avif", "miaf"),
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
    "JPEG XL": b"\xff\x0a\0",
    "Photoshop": b"8BPS\0\1",
}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM", *STARTS])
def test_a_pictures_form_is_what_its_first_bytes_say(tmp_path, form):
    path = tmp_path / "photo.mp4"
    path.write_bytes(STARTS.get(form) or encoded(SMOOTH, form))
    assert kind_of_file(path) == form


@pytest.mark.parametrize(
    "start", [b"", b"P", b"BM is a text", b"P5, see above", b"\xff\xd9", ftyp("isom", "mp42"), b"II"]
)
def test_what_is_no_picture_has_no_form(tmp_path, start):
    (tmp_path / "photo.jpg").write_bytes(start)
    assert kind_of_file(tmp_path / "photo.jpg") is None


@pytest.mark.parametrize("form", ["HEIC", "JPEG 2000", "JPEG XL", "Photoshop"])
def test_a_form_that_is_not_read_is_named_with_the_cure(form):
    with pytest.raises(
        UnreadablePhotoError, match=f"a: a {form} picture, which cannot be read. Save it as JPEG or PNG"
    ):
        decode_photo(STARTS[form], "a")


def test_avif_is_read_where_pillow_decodes_it(tmp_path):
    if not features.check("avif"):
        assert "AVIF" not in FORMATS
        return
    data = encoded(SMOOTH, "AVIF", quality=95, exif=exif((0x010E, 2, 13, b"some picture\0")))
    entry = struct.pack("<HHI", 0x010E, 2, 13)
    odd = data.replace(entry, struct.pack("<HHI", *ODD_TAGS["a signed rational with a zero"][:2], 13))
    assert odd != data
    for picture in (data, odd):
        assert decode_photo(picture, "a").shape == (96, 64, 3)
    (tmp_path / "moving").write_bytes(encoded(SMOOTH, "AVIF", save_all=True, append_images=[SMOOTH.rotate(90)]))
    assert is_animated(tmp_path / "moving")


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
