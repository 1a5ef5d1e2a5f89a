"""Metadata inside picture files: a TIFF's directory, which EXIF is too, and the orientation that it holds.

Bytes in, numbers out. Metadata may be damaged while the pixels are intact: what cannot be read counts as absent.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

EXIF_START, XMP_START = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
"""How a JPEG's segments with this metadata begin."""

_MAX_TEXT_BYTES = 2**20  # of compressed metadata that is searched for an orientation
_ORIENTATION = 0x0112
_XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=\"|>)([1-8])")
_TIFF_TYPES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 16: "Q", 17: "q"}


class Tags(NamedTuple):
    """The directory of a TIFF.

    Attributes:
        data: the file.
        order: `<` or `>`, the byte order.
        count_form, offset_form: formats of counts and offsets for `struct`.
        entries: tag -> its type, its number of values, and the place of its entry.
    """

    data: bytes
    order: str
    count_form: str
    offset_form: str
    entries: dict[int, tuple[int, int, int]]

    @classmethod
    def of(cls, data: bytes) -> "Tags":
        """The first directory."""
        order = ">" if data[:2] == b"MM" else "<"
        is_big = 43 in data[2:4]
        count_form, offset_form = ("Q", "Q") if is_big else ("H", "I")
        (place,) = struct.unpack_from(order + offset_form, data, 8 if is_big else 4)
        (num,) = struct.unpack_from(order + count_form, data, place)
        place += struct.calcsize(count_form)
        entry = struct.Struct(order + "HH" + offset_form)
        size = entry.size + struct.calcsize(offset_form)
        entries: dict[int, tuple[int, int, int]] = {}
        for at in range(place, min(place + num * size, len(data) - size + 1), size):
            tag, kind, count = entry.unpack_from(data, at)
            entries.setdefault(tag, (kind, count, at))  # of repeated tags, the first
        return cls(data, order, count_form, offset_form, entries)

    def raw(self, tag: int) -> bytes:
        """The entry of a tag, unchanged."""
        place = self.entries[tag][2]
        return self.data[place : place + (20 if self.offset_form == "Q" else 12)]

    def value_bytes(self, tag: int) -> bytes:
        """A tag's values, of any type, as bytes; empty where there is no such tag."""
        if tag not in self.entries:
            return b""
        kind, count, place = self.entries[tag]
        length = count * struct.calcsize("<" + _TIFF_TYPES.get(kind, "B"))
        place += 4 + struct.calcsize(self.offset_form)
        if length > struct.calcsize(self.offset_form):
            (place,) = struct.unpack_from(self.order + self.offset_form, self.data, place)
        return self.data[place : place + length]

    def numbers(self, tag: int, *, most: int) -> tuple[float, ...]:
        """The first `most` values of a tag; none where they are not numbers or are cut off."""
        kind, count, _ = self.entries.get(tag, (0, 0, 0))
        form, raw = _TIFF_TYPES.get(kind, ""), self.value_bytes(tag)
        if not form or len(raw) != count * struct.calcsize("<" + form):
            return ()
        return struct.unpack_from(f"{self.order}{min(count, most)}{form}", raw)

    def number(self, tag: int, default: float | None = None) -> float | None:
        """A tag's first value."""
        return next(iter(self.numbers(tag, most=1)), default)

    def integer(self, tag: int, default: int) -> int:
        """A tag's first value as an integer."""
        return int(next(iter(self.numbers(tag, most=1)), default))

    def places(self, offset_tag: int, length_tag: int, *, most: int) -> Iterator[tuple[int, int]]:
        """Offset and length of each of the first `most` strips or tiles."""
        offsets, lengths = self.numbers(offset_tag, most=most), self.numbers(length_tag, most=most)
        for offset, length in zip(offsets, lengths, strict=False):
            yield int(offset), int(length)


def exif_orientation(exif: bytes, xmp: bytes = b"") -> int:
    """The orientation in EXIF, or else in XMP; from 1 to 8, 1 where none can be read."""
    while exif.startswith(EXIF_START):
        exif = exif.removeprefix(EXIF_START)
    try:
        turn = Tags.of(exif).number(_ORIENTATION)
    except (struct.error, IndexError):
        turn = None
    if turn is None and (match := _XMP_ORIENTATION.search(xmp)):
        turn = int(match[1])
    return int(turn) if turn is not None and turn in range(1, 9) else 1


def png_exif(text: bytes) -> bytes:
    """EXIF as ImageMagick stores it in a PNG's text chunk: a keyword, three lines, and hexadecimal digits."""
    keyword, _, value = text.partition(b"\0")
    if keyword not in (b"Raw profile type exif", b"Raw profile type APP1"):
        return b""
    value = _inflated(value[1:]) if value[:1] == b"\0" else value
    try:
        return bytes.fromhex(b"".join(value.split(b"\n")[3:]).decode("ascii"))
    except ValueError:
        return b""


def png_xmp(text: bytes) -> bytes:
    """XMP from a PNG's text chunk."""
    keyword, _, value = text.partition(b"\0")
    if keyword != b"XML:com.adobe.xmp":
        return b""
    body = value[2:].split(b"\0", 2)[-1]
    return _inflated(body) if value[:1] == b"\1" else body


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, _MAX_TEXT_BYTES)
    except zlib.error:
        return b""
