"""Which pictures are told apart by their first bytes, and which of them are read."""

import runpy
import struct
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import features

from dwmtl.crops.photos import FORMATS, decode_photo, kind_of_file
from dwmtl.errors import UnreadablePhotoError

pictures = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("pictures.py"))))
SMOOTH, encoded = pictures.SMOOTH, pictures.encoded


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


def test_avif_is_read_where_pillow_decodes_it():
    assert ("AVIF" in FORMATS) == features.check("avif")


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
