"""Small pictures, encoded, and parts of picture files as no library would write them."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

NOISE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
SMOOTH = Image.fromarray(NOISE).resize((96, 64), Image.Resampling.BICUBIC)


def encoded(picture: Image.Image, form: str, **options) -> bytes:
    data = io.BytesIO()
    picture.save(data, form, **options)
    return data.getvalue()


def png_chunk(kind: bytes, value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + kind + value + struct.pack(">I", zlib.crc32(kind + value))


def tiff_directory(tags: dict[int, int]) -> bytes:
    """A little-endian directory of whole numbers, a value per tag."""
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack("<H", len(tags)) + entries + bytes(4)
