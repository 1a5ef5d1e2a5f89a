"""The formats of picture files: the pixels of each without its metadata.

A decoder never sees metadata, which may be damaged while the pixels are intact, and expensive to read. Only the EXIF
orientation is extracted from it. Work is bounded by what real files contain, before anything is decoded.
Knows nothing of decoders. Opens no file.
"""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import NoReturn

from dwmtl.crops.exif import EXIF_START, XMP_START, Tags, exif_orientation, png_exif, png_xmp

MAX_FILE_BYTES = 400 * 2**20
"""Of a picture's file: MAX_PIXELS of 16-bit colour, uncompressed."""

MAX_PIXELS = 64_000_000
"""Of a picture, or of a frame of several: about 200 MB as RGB."""

MAX_SCANS = 100
"""Of a JPEG: each is a pass over all pixels. Progressive files have about 10."""

MAX_PARTS = 100_000
"""Segments of a JPEG, chunks of a PNG or WebP, blocks of a GIF up to its first picture, strips or tiles of a TIFF."""

MAX_FRAMES = 10_000
"""Of an animated picture: five minutes at 30 frames a second."""

MAX_MOVING_PIXELS = 4_000_000_000
"""Of all frames of an animated picture together: 4,300 frames of 1280x720."""


class RefusedPictureError(ValueError):
    """A picture that is not decoded although it may be intact; the message names the cure."""


@dataclass(frozen=True)
class Levels:
    """What the values of a picture's samples mean.

    Attributes:
        bits: of a sample.
        black, white: the values of black and white; None where the file does not define it.
        is_sure: whether the file defines white; otherwise white is the largest value of its format.
    """

    bits: int = 8
    black: float = 0
    white: float | None = 255
    is_sure: bool = False


@dataclass(frozen=True)
class BarePicture:
    """A picture's file without its metadata.

    Attributes:
        data: what a decoder needs, in the same form.
        width_px, height_px: of the canvas, as stored; 0 where only a decoder can tell.
        orientation: of EXIF, from 1 to 8; 1: upright as stored.
        num_frames: those in `data`.
    """

    data: bytes
    width_px: int = 0
    height_px: int = 0
    orientation: int = 1
    num_frames: int = 1
    levels: Levels = Levels()


def bare_picture(data: bytes, kind: str, *, most_frames: int = 1) -> BarePicture:
    """A picture without its metadata, with its first `most_frames` frames. Damage is left for the decoder to find.

    Args:
        kind: what `picture_kind` returns.
        most_frames: of an animated picture.
    Raises:
        RefusedPictureError: more scans, parts or tiles than real files have.
        ValueError: a header is damaged.
    """
    try:
        return _BARE[kind](data, most_frames)
    except (struct.error, IndexError, OverflowError):
        raise ValueError("it ends within its header") from None


def _jpeg(data: bytes, most_frames: int) -> BarePicture:
    kept, bare, num_scans, place = [data[:2]], BarePicture(b""), 0, 2
    exif = xmp = b""
    for _ in range(MAX_PARTS):
        match = _JPEG_MARKER.search(data, place)
        if match is None or match[1] == b"\xd9":
            kept.append(data[place:] if match is None else data[match.start() :][:2])
            break
        marker, start = match[1][0], match.end()
        end = start + int.from_bytes(data[start : start + 2])
        if marker == 0xDA:
            num_scans += 1
            if num_scans > MAX_SCANS:
                raise RefusedPictureError(f"more than {MAX_SCANS} scans, as no camera makes. Save it as a new JPEG.")
            after = _JPEG_MARKER.search(data, end)
            end = len(data) if after is None else after.start()
        elif marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, start + 3)
            bare = replace(bare, width_px=width, height_px=height)
        if marker == 0xE1:
            exif = exif or _after(EXIF_START, data[start + 2 : end])
            xmp = xmp or _after(XMP_START, data[start + 2 : end])
        if marker < 0xE0 or marker in (0xE0, 0xEE):  # APP0 and APP14 define the colours
            kept += [b"\xff", data[start - 1 : end]]
        place = end
    else:
        _refuse_parts("segments")
    return replace(bare, data=b"".join(kept), orientation=exif_orientation(exif, xmp))


_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


def _png(data: bytes, most_frames: int) -> BarePicture:
    width, height, bits = struct.unpack_from(">IIB", data, 16)
    kept, num_frames, exif, xmp, significant = [data[:8]], 1, b"", b"", bits
    wanted = {b"tRNS"} | ({b"acTL", b"fcTL", b"fdAT"} if most_frames > 1 else set())
    for kind, start, end in _chunks(data, 8):
        if kind == b"acTL":
            num_frames = int.from_bytes(data[start : start + 4])
        elif kind == b"sBIT":
            significant = max(data[start:end], default=bits)
        elif kind == b"eXIf":
            exif = data[start:end]
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            exif, xmp = exif or png_exif(data[start:end]), xmp or png_xmp(data[start:end])
        if kind in wanted or kind[:1].isupper():
            kept.append(data[start - 8 : end + 4])
        if kind == b"IEND":
            break
    levels = Levels(bits, white=2**significant - 1)
    frames = max(1, num_frames) if most_frames > 1 else 1
    return BarePicture(b"".join(kept), width, height, exif_orientation(exif, xmp), frames, levels)


def _gif(data: bytes, most_frames: int) -> BarePicture:
    width, height = struct.unpack_from("<HH", data, 6)
    place = 13 + _palette_bytes(data[10])
    kept, num_frames, num_blocks = [data[:place]], 0, 0
    while place < len(data) and num_frames < most_frames and data[place] in (0x21, 0x2C):
        num_blocks += 1
        if num_blocks > MAX_PARTS:
            _refuse_parts("blocks")
        if data[place] == 0x21:
            end, is_kept = _after_blocks(data, place + 2), data[place + 1] == 0xF9  # how the next frame is drawn
        else:
            left, top, wide, high = struct.unpack_from("<HHHH", data, place + 1)
            width, height = max(width, left + wide), max(height, top + high)
            end, is_kept = _after_blocks(data, place + 11 + _palette_bytes(data[place + 9])), True
            num_frames += 1
        if is_kept:
            kept.append(data[place:end])
        place = end
    return BarePicture(b"".join(kept), width, height, num_frames=max(1, num_frames))


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(data: bytes, place: int) -> int:
    """The place after the data blocks that start at `place`, each led by its length, and the empty block at the end."""
    while place < len(data) and data[place]:
        place += 1 + data[place]
    return min(place + 1, len(data))


def _webp(data: bytes, most_frames: int) -> BarePicture:
    kept, num_frames, exif, xmp = [], 0, b"", b""
    width = height = 0
    for kind, start, end in _chunks(data, 12, is_riff=True):
        if kind == b"VP8X":
            width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (start + 4, start + 7))
            kept.append(data[start - 8 : start] + bytes([data[start] & 0x12]) + data[start + 1 : end])
        elif kind == b"VP8 " and not width:
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, start + 6))
        elif kind == b"VP8L" and not width:
            sides = int.from_bytes(data[start + 1 : start + 5], "little")
            width, height = 1 + (sides & 0x3FFF), 1 + (sides >> 14 & 0x3FFF)
        elif kind == b"EXIF":
            exif = data[start:end]
        elif kind == b"XMP ":
            xmp = data[start:end]
        num_frames += kind == b"ANMF"
        if kind in (b"VP8 ", b"VP8L", b"ALPH", b"ANIM") or (kind == b"ANMF" and num_frames <= most_frames):
            kept.append(data[start - 8 : end + (end - start) % 2])
    body = b"".join(kept)
    header = b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP"
    frames = min(max(1, num_frames), most_frames)
    return BarePicture(header + body, width, height, exif_orientation(exif, xmp), frames)


def _chunks(data: bytes, place: int, *, is_riff: bool = False) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each chunk of a PNG or a RIFF, from `place` on; the last one may be cut off."""
    header = struct.Struct("<4sI" if is_riff else ">I4s")
    for _ in range(MAX_PARTS):
        if place + header.size > len(data):
            return
        kind, length = header.unpack_from(data, place)[:: 1 if is_riff else -1]
        yield kind, place + 8, min(place + 8 + length, len(data))
        place += 8 + length + (length % 2 if is_riff else 4)
    _refuse_parts("chunks")


def _tiff(data: bytes, most_frames: int) -> BarePicture:
    tags = Tags.of(data)
    kept = {tag: entry for tag, entry in tags.entries.items() if tag in _TIFF_TAGS}
    if any(count > MAX_PARTS for _, count, _ in kept.values()):
        _refuse_parts("strips or tiles")
    width, height = tags.integer(256, 0), tags.integer(257, 0)
    _bound_tiles(tags, width, height)
    directory = struct.pack(tags.order + tags.count_form, len(kept))
    directory += b"".join(tags.raw(tag) for tag in sorted(kept)) + bytes(struct.calcsize(tags.offset_form))
    offset = struct.pack(tags.order + tags.offset_form, len(data) + len(data) % 2)
    start = 4 if tags.offset_form == "I" else 8
    bare = b"".join([data[:start], offset, data[start + len(offset) :], bytes(len(data) % 2), directory])
    turn = exif_orientation(data, tags.value_bytes(700))
    return BarePicture(bare, width, height, turn, levels=_tiff_levels(tags))


_TIFF_TAGS = {
    *range(256, 260), 262, 266, 273, *range(277, 280), 284, 292, 293, 317, 320, *range(322, 326), 332, 338, 339, 347,
    *range(512, 522), *range(529, 533),
}  # fmt: skip
"""What a decoder needs of a TIFF's directory: how samples are stored, where, and what their colours are."""

_UNSIGNED = 1  # a value of SampleFormat


def _tiff_levels(tags: Tags) -> Levels:
    """White as a tag defines it (MaxSampleValue, SMaxSampleValue), or else the largest value of unsigned samples."""
    bits, form = tags.integer(258, 1), tags.number(339, _UNSIGNED)
    black, white = (tags.number(s_tag, tags.number(tag)) for tag, s_tag in ((280, 340), (281, 341)))
    is_inverted = tags.number(262, 1) == 0 and bits > 8  # white is 0: Pillow inverts 8 bit only
    greatest = 2**bits - 1 if form == _UNSIGNED and 0 < bits < 32 else None
    if white is not None and white > (black or 0) and not (form == _UNSIGNED and white == 2**32 - 1):
        levels = Levels(bits, black or 0, white, is_sure=True)
    else:
        levels = Levels(bits, 0, greatest, is_sure=8 < bits < 16)
    if is_inverted and levels.white is not None:
        levels = replace(levels, black=levels.white, white=levels.black)
    return levels


def _bound_tiles(tags: Tags, width: int, height: int) -> None:
    """Bound the bytes, scans and pixels of strips and tiles: each is decoded completely, even beyond the canvas."""
    across, down = tags.integer(322, 0), tags.integer(323, 0)
    if across > 0 and down > 0 and -(-width // across) * across * -(-height // down) * down > 4 * MAX_PIXELS:
        raise RefusedPictureError("its tiles are far larger than the picture. Save it as a new file.")
    places = [*tags.places(273, 279, most=MAX_PARTS), *tags.places(324, 325, most=MAX_PARTS)]
    if sum(length for _, length in places) > 2 * len(tags.data):
        raise RefusedPictureError("its strips or tiles overlap. Save it as a new file.")
    is_jpeg = tags.number(259, 1) in (6, 7)
    if is_jpeg and any(tags.data.count(b"\xff\xda", at, at + length) > MAX_SCANS for at, length in places):
        raise RefusedPictureError(f"more than {MAX_SCANS} scans, as no camera makes. Save it as a new file.")


def _bmp(data: bytes, most_frames: int) -> BarePicture:
    is_old = int.from_bytes(data[14:18], "little") == 12
    width, height = struct.unpack_from("<HH" if is_old else "<ii", data, 18)
    return BarePicture(data, abs(width), abs(height))


def _ppm(data: bytes, most_frames: int) -> BarePicture:
    sides = [int(word[1]) for word in islice(_PPM_WORD.finditer(data, 2, 4096), 2)]
    if len(sides) < 2:
        raise ValueError("its header has no size")
    width, height = sides
    has_white = data[1:2] != b"f"
    return BarePicture(data, width, height, levels=Levels(16, white=65535 if has_white else None, is_sure=True))


_PPM_WORD = re.compile(rb"(?:\s++|#[^\r\n]*+)++(\d{1,10})")


def _avif(data: bytes, most_frames: int) -> BarePicture:
    sides = [struct.unpack(">II", match[1]) for match in islice(_AVIF_SIZE.finditer(data), 1000)]
    width, height = max(sides, key=lambda side: side[0] * side[1], default=(0, 0))
    return BarePicture(_AVIF_METADATA.sub(rb"\1skip", data), width, height, num_frames=most_frames)


_AVIF_SIZE = re.compile(rb"ispe\0\0\0\0(.{8})", re.DOTALL)
_AVIF_METADATA = re.compile(rb"(infe.{8})(?:Exif|mime)", re.DOTALL)
"""The kind of an item of metadata; decoders skip an item of an unknown kind."""

_BARE: dict[str, Callable[[bytes, int], BarePicture]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "WEBP": _webp,
    "TIFF": _tiff,
    "BMP": _bmp,
    "PPM": _ppm,
    "AVIF": _avif,
}
FORMATS = tuple(_BARE)
"""The results of `picture_kind` that can be decoded; AVIF if Pillow has its decoder."""


def _after(prefix: bytes, segment: bytes) -> bytes:
    return segment[len(prefix) :] if segment.startswith(prefix) else b""


def _refuse_parts(what: str) -> NoReturn:
    raise RefusedPictureError(f"more than {MAX_PARTS} {what}, as no camera makes. Save it as a new file.")
