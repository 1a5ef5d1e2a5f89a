"""Damaged pictures of every form: an answer or `UnreadablePhotoError`, in bounded time and memory.

`DWMTL_FUZZ=20000` tries so many; the same number tries the same ones again.
"""

import os
import resource
import runpy
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from dwmtl.crops.photos import decode_photo, is_animated, read_frames
from dwmtl.errors import UnreadablePhotoError

encoded = runpy.run_path(str(Path(__file__).with_name("pictures.py")))["encoded"]

NUM_MUTATIONS = int(os.environ.get("DWMTL_FUZZ", 2000))
MOST_SECONDS = 10
"""Of one picture, of the processor: 64 million pixels take about one."""
MOST_GROWTH_KIB = 2 * 2**20
"""Of the process: 64 million pixels are 190 MB as RGB and 250 MB as RGBA, a few times over."""

EXTREMES = [0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]


def _seeds() -> dict[str, bytes]:
    """Small pictures: each form with EXIF where it can have it, in several of its kinds."""
    generator = np.random.default_rng(1)
    picture = Image.fromarray(generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((48, 36))
    deep = Image.fromarray(generator.integers(0, 65536, (36, 48), dtype=np.uint16))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x011A] = 6, "Maker", 72.0
    exif.get_ifd(0x8769)[0x9286] = b"a comment"
    block = exif.tobytes()
    others = [picture.rotate(90 * turn) for turn in (1, 2)]
    moving = {"save_all": True, "append_images": others, "duration": 50}
    seeds = {
        "JPEG": encoded(picture, "JPEG", exif=block, comment="a comment"),
        "JPEG progressive": encoded(picture, "JPEG", exif=block, progressive=True),
        "JPEG CMYK": encoded(picture.convert("CMYK"), "JPEG"),
        "PNG": encoded(picture, "PNG", exif=block, icc_profile=b"profile"),
        "PNG palette": encoded(picture.quantize(16), "PNG", transparency=bytes(range(16))),
        "PNG 16 bit": encoded(deep, "PNG"),
        "PNG moving": encoded(picture, "PNG", **moving),
        "GIF": encoded(picture, "GIF", comment="a comment"),
        "GIF moving": encoded(picture, "GIF", **moving),
        "WEBP": encoded(picture, "WEBP", exif=block),
        "WEBP lossless": encoded(picture.convert("RGBA"), "WEBP", lossless=True, exif=block),
        "WEBP moving": encoded(picture, "WEBP", **moving),
        "TIFF": encoded(picture, "TIFF", exif=block),
        "TIFF 16 bit": encoded(deep, "TIFF"),
        "TIFF big": encoded(picture, "TIFF", big_tiff=True),
        "BMP": encoded(picture, "BMP"),
        "BMP palette": encoded(picture.quantize(16), "BMP"),
        "PPM": encoded(picture, "PPM"),
    }
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        seeds[f"TIFF {compression}"] = encoded(picture, "TIFF", compression=compression)
    if features.check("avif"):
        seeds["AVIF"] = encoded(picture, "AVIF", exif=block)
    return seeds


def _mutated(data: bytes, other: bytes, generator: np.random.Generator) -> bytes:
    """A picture with one to four kinds of damage; the bytes of headers are hit as often as all others together."""
    damaged = bytearray(data)
    for _ in range(generator.integers(1, 5)):
        if not damaged:
            return b""
        header = min(len(damaged), 200)
        place = int(generator.integers(header if generator.random() < 0.5 else len(damaged)))
        length = int(generator.integers(1, 32))
        match generator.integers(7):
            case 0:
                damaged[place] ^= 1 << int(generator.integers(8))
            case 1:
                damaged[place] = int(generator.integers(256))
            case 2:
                form = generator.choice([">H", "<H", ">I", "<I"])
                most = 0xFFFF if form[1] == "H" else 0xFFFFFFFF
                value = struct.pack(str(form), min(int(generator.choice(EXTREMES)), most))
                damaged[place : place + len(value)] = value
            case 3:
                del damaged[place : None if generator.random() < 0.3 else place + length]
            case 4:
                damaged[place:place] = damaged[place : place + length] * int(generator.integers(1, 200))
            case 5:
                start = int(generator.integers(len(other)))
                damaged[place : place + length] = other[start : start + length]
            case 6:
                damaged[place : place + length] = generator.bytes(length)
    return bytes(damaged)


def _read(data: bytes, path) -> str:
    """What becomes of a picture: `read`, `frames`, `refused` in a line that names it, or `told badly`."""
    try:
        photo = decode_photo(data, "a")
        assert (photo.dtype, photo.ndim, photo.shape[2]) == (np.uint8, 3, 3)
        path.write_bytes(data)
        if not is_animated(path):
            return "read"
        assert all(frame.dtype == np.uint8 for _, frame in zip(range(5), read_frames(path), strict=False))
        return "frames"
    except UnreadablePhotoError as error:
        is_told = str(error).startswith(("a: ", f"{path}: ")) and "\n" not in str(error)
        return "refused" if is_told else f"told badly: {error}"


@pytest.mark.timeout(NUM_MUTATIONS)
def test_a_damaged_picture_is_read_or_refused_in_bounded_time_and_memory(tmp_path):
    seeds = _seeds()
    names = sorted(seeds)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes = {name: _read(seeds[name], tmp_path / "seed") for name in names}
    assert {name: "frames" if "moving" in name else "read" for name in names} == outcomes
    counts = dict.fromkeys(("read", "frames", "refused"), 0)
    for number in range(NUM_MUTATIONS):
        generator = np.random.default_rng(number)
        name = names[number % len(names)]
        data = _mutated(seeds[name], seeds[names[generator.integers(len(names))]], generator)
        start = time.process_time()
        try:
            counts[_read(data, tmp_path / "a")] += 1
        except Exception as error:
            error.add_note(f"mutation {number} of {name}")
            raise
        seconds = time.process_time() - start
        assert seconds < MOST_SECONDS, f"mutation {number} of {name} took {seconds:.1f} s"
        growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert growth < MOST_GROWTH_KIB, f"mutation {number} of {name} took {growth / 2**20:.1f} GiB"
    assert min(counts.values()) > NUM_MUTATIONS // 200, counts  # the fuzz reaches all three
