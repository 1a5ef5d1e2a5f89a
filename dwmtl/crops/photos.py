"""Reading any photo as RGB. Knows nothing of data sets."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dwmtl.errors import UnreadablePhotoError

MAX_PIXELS = 64_000_000
"""Largest photo that is decoded, in pixels: about 200 MB as RGB."""

_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # no format that runs another program, as EPS does


def read_photo(path: Path) -> np.ndarray:
    """Decode a photo of any kind that Pillow knows, whatever its file is called.

    The EXIF orientation is applied; transparency is dropped onto white; the first frame of several is taken; 16-bit
    grey keeps its whole range, scaled to 8 bit.

    Returns:
        (H, W, 3) uint8, RGB.
    Raises:
        UnreadablePhotoError: the file is missing, empty, truncated, no picture, or larger than MAX_PIXELS.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _decoded(file, str(path), "the file is empty. Copy it again." if path.stat().st_size == 0 else "")
    except FileNotFoundError:
        raise UnreadablePhotoError(f"{path}: no such file.") from None
    except OSError as error:
        raise UnreadablePhotoError(f"{path}: not a whole picture ({error}). Copy it again.") from None


def decode_photo(picture: bytes, name: str, *, max_pixels: int | None = None) -> np.ndarray:
    """The same of an encoded picture in memory; `name` stands for it in an error. `max_pixels` may be below the limit
    of a file."""
    return _decoded(io.BytesIO(picture), name, "" if picture else "it is empty.", max_pixels)


def photo_pixels(photo: Path | str | Image.Image | np.ndarray, name: str) -> np.ndarray:
    """A photo in whatever form a caller has it, as `read_photo` gives one from a file.

    Args:
        photo: a file's path; a picture of Pillow; or pixels, uint8: (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey.
        name: stands for a photo that is no file in an error.
    Returns:
        (H, W, 3) uint8, RGB.
    Raises:
        UnreadablePhotoError: see `read_photo`; or an array of another shape or type.
    """
    if isinstance(photo, str | Path):
        return read_photo(Path(photo))
    if isinstance(photo, Image.Image):
        with _named_errors(name):  # Pillow may decode its file only now
            return _picture_pixels(photo, name)
    pixels = np.asarray(photo)
    is_picture = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if pixels.dtype != np.uint8 or not is_picture or not pixels.size:
        raise UnreadablePhotoError(
            f"{name}: pixels must be (H, W, 3) uint8, RGB. Got {pixels.shape} {pixels.dtype} instead."
        )
    if pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.shape[0] * pixels.shape[1] <= MAX_PIXELS:
        return np.ascontiguousarray(pixels)
    return _picture_pixels(Image.fromarray(pixels), name)


def _decoded(file: BinaryIO, name: str, complaint: str, max_pixels: int | None = None) -> np.ndarray:
    if complaint:
        raise UnreadablePhotoError(f"{name}: {complaint}")
    with _named_errors(name):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit here is lower, and an error
            opened = Image.open(file, formats=_FORMATS)
        with opened as picture:
            return _picture_pixels(picture, name, max_pixels)


@contextmanager
def _named_errors(name: str) -> Iterator[None]:
    """Whatever Pillow raises on a damaged picture, as our error."""
    try:
        yield
    except UnidentifiedImageError:
        raise UnreadablePhotoError(
            f"{name}: not a whole picture (nothing in it says {', '.join(_FORMATS)}). Copy it again, or take another."
        ) from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise UnreadablePhotoError(f"{name}: not a whole picture ({error}). Copy it again.") from None


def _picture_pixels(picture: Image.Image, name: str, max_pixels: int | None = None) -> np.ndarray:
    max_pixels = MAX_PIXELS if max_pixels is None else max_pixels
    if picture.width * picture.height > max_pixels:
        raise UnreadablePhotoError(
            f"{name}: {picture.width}x{picture.height} is more than {max_pixels} pixels. Scale it down."
        )
    return np.array(_as_rgb(ImageOps.exif_transpose(picture)))


def _as_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode == "F":
        raise ValueError("its pixels are floating-point numbers, of no known range; save it as 8 or 16 bit")
    if picture.mode.startswith("I"):
        values = np.asarray(picture, dtype=np.float64)
        if values.max() > 65535:
            raise ValueError("its pixels have more than 16 bit; save it as 8 or 16 bit")
        return Image.fromarray((values / 65535 * 255).round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return picture.convert("RGB")
