"""Whether a file is a picture: by its name or by its first bytes. Decodes nothing."""

import os
import re
from pathlib import Path

from dwmtl.tables import PICTURE_ENDINGS

START_BYTES = 64
"""Of a file, as many as `picture_kind` needs."""

_HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1"}
_STARTS = (
    (re.compile(rb"\xff\xd8\xff"), "JPEG"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG"),
    (re.compile(rb"GIF8[79]a"), "GIF"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WEBP"),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), "TIFF"),
    (re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL), "BMP"),
    (re.compile(rb"P[1-6f]\s+(?:#|\d)"), "PPM"),
    (re.compile(rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"), "JPEG 2000"),
    (re.compile(rb"\0\0\0\x0cJXL \r\n\x87\n|\xff\x0a"), "JPEG XL"),
    (re.compile(rb"8BPS\0[\1\2]"), "Photoshop"),
)


def picture_kind(start: bytes) -> str | None:
    """The format of a picture by the first START_BYTES of its file, whatever its name; None for anything else.

    Names that Pillow knows (`JPEG`, `PNG`, `GIF`, `WEBP`, `TIFF`, `BMP`, `PPM`, `AVIF`), and `HEIC`, `JPEG 2000`,
    `JPEG XL`, `Photoshop`.
    """
    if start[4:8] == b"ftyp":
        length = int.from_bytes(start[:4])
        brands = {start[8:12], *(start[at : at + 4] for at in range(16, min(length, START_BYTES), 4))}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        return "HEIC" if brands & _HEIC_BRANDS else None
    return next((kind for pattern, kind in _STARTS if pattern.match(start)), None)


def is_picture(path: Path | str) -> bool:
    """Whether a file has the ending of a picture, in any case, or the first bytes of one.

    A picture that cannot be decoded (damaged, or HEIC) counts: decoding it reports the error.
    """
    if os.fspath(path).lower().endswith(PICTURE_ENDINGS):
        return True
    try:
        with open(path, "rb") as file:
            return picture_kind(file.read(START_BYTES)) is not None
    except OSError:
        return False
