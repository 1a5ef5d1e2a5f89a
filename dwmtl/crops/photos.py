"""Reading any photo as RGB, and the frames of an animated picture. Knows nothing of data sets.

A file's first bytes decide its format, never its name. `picture_file` sets the limits on files.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
from PIL import Image, features

from dwmtl.crops import picture_file
from dwmtl.crops.picture_file import MAX_PIXELS, BarePicture, Levels, RefusedPictureError, bare_picture
from dwmtl.datasets.packs.picture_kind import START_BYTES, picture_kind
from dwmtl.errors import UnreadablePhotoError

FORMATS = tuple(sorted(name for name in picture_file.FORMATS if name != "AVIF" or features.check("avif")))
"""The picture formats that are read; AVIF if Pillow decodes it. None that runs another program, as EPS does."""

_ANIMATED = ("AVIF", "GIF", "PNG", "WEBP")
_CURES = {
    "HEIC": "Save it as JPEG or PNG (an iPhone: Settings, Camera, Formats, Most Compatible)",
    "AVIF": "Install a Pillow that decodes it (11.3 or later), or save it as JPEG or PNG",
}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def kind_of_file(path: Path) -> str | None:
    """The format of a picture by the first bytes of its file, whatever its name; None for anything else.

    Returns formats that are not read, too: only those in FORMATS are.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        return picture_kind(file.read(START_BYTES))


def is_animated(path: Path) -> bool:
    """Whether a file is a picture with several frames that are shown in sequence: GIF, PNG, WebP or AVIF.

    Raises:
        UnreadablePhotoError: a picture that cannot be read.
    """
    if kind_of_file(path) not in _ANIMATED:
        return False
    picture, _ = _open(_file_bytes(path), str(path), most_frames=2)
    return _num_frames(picture, str(path)) > 1


def read_photo(path: Path) -> np.ndarray:
    """Decode a photo of any format in FORMATS, whatever the name of its file; reads from a pipe, too.

    The EXIF orientation is applied, and other metadata is ignored, damaged or not. Transparency is composited onto
    white. Of several frames, the first is decoded. Grey of more than 8 bits keeps its full range, scaled to 8 bits.

    Returns:
        (H, W, 3) uint8, RGB.
    Raises:
        UnreadablePhotoError: the file is missing, empty, truncated, not a picture or beyond the limits of
            `picture_file`, or the range of its values is unknown.
    """
    path = Path(path)
    return _decoded(_file_bytes(path) or _refuse(str(path), "the file is empty. Copy it again."), str(path))


def decode_photo(picture: bytes, name: str, *, max_pixels: int | None = None) -> np.ndarray:
    """Decode an encoded picture in memory as `read_photo` decodes a file.

    Args:
        name: of the picture, for errors.
        max_pixels: a limit below that of files.
    """
    return _decoded(picture or _refuse(name, "it is empty."), name, max_pixels)


def read_frames(path: Path) -> Iterator[np.ndarray]:
    """Decode the frames of an animated picture in their order, as `read_photo` does; one is in memory at a time.

    Raises:
        UnreadablePhotoError: as `read_photo`; also a damaged frame, or more frames than the limits allow.
    """
    name = str(path)
    picture, bare = _open(_file_bytes(path), name, most_frames=picture_file.MAX_FRAMES + 1)
    num_frames = _num_frames(picture, name)
    most = min(picture_file.MAX_FRAMES, picture_file.MAX_MOVING_PIXELS // (picture.width * picture.height))
    if num_frames > most:
        _refuse(name, f"more than {most} frames of {picture.width}x{picture.height}. Cut it, or scale it down.")
    for frame in range(num_frames):
        with _named_errors(name):
            picture.seek(frame)
            pixels = _pixels(picture, bare.levels, bare.orientation)
        yield pixels


def photo_pixels(photo: Path | str | Image.Image | np.ndarray, name: str) -> np.ndarray:
    """The pixels of a photo given as a path, a picture or an array, as `read_photo` returns them.

    Args:
        photo: a file's path; a picture of Pillow; or pixels, uint8: (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey.
        name: of a photo that is not a file, for errors.
    Returns:
        (H, W, 3) uint8, RGB.
    Raises:
        UnreadablePhotoError: as `read_photo`; also an array of another shape or type.
    """
    if isinstance(photo, str | Path):
        return read_photo(Path(photo))
    if isinstance(photo, Image.Image):
        with _named_errors(name):  # Pillow may decode the file only now
            _require_size(name, photo.width, photo.height)
            photo.load()
            return _pixels(photo, _levels_of(photo), _orientation_of(photo))
    pixels = np.asarray(photo)
    is_picture = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if pixels.dtype != np.uint8 or not is_picture or not pixels.size:
        _refuse(name, f"pixels must be (H, W, 3) uint8, RGB. Got {pixels.shape} {pixels.dtype} instead.")
    _require_size(name, pixels.shape[1], pixels.shape[0])
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        return np.ascontiguousarray(pixels)
    return _pixels(Image.fromarray(pixels), Levels(), 1)


def _file_bytes(path: Path) -> bytes:
    """The bytes of a file or a pipe; only the first ones where it is not a picture."""
    try:
        with open(path, "rb") as file:
            parts = [file.read(START_BYTES)]
            num_bytes = 0
            while picture_kind(parts[0]) and (part := file.read(2**20)):
                parts.append(part)
                num_bytes += len(part)
                if num_bytes > picture_file.MAX_FILE_BYTES:
                    _refuse(str(path), f"more than {picture_file.MAX_FILE_BYTES // 2**20} MiB. Scale it down.")
    except FileNotFoundError:
        _refuse(str(path), "no such file.")
    except IsADirectoryError:
        _refuse(str(path), "a folder, not a photo.")
    except OSError as error:
        _refuse(str(path), f"cannot be read ({os.strerror(error.errno or 0)}).")
    except ValueError as error:  # a NUL in its name
        _refuse(repr(str(path)), f"not a file name ({error}).")
    return b"".join(parts)


def _decoded(data: bytes, name: str, max_pixels: int | None = None) -> np.ndarray:
    picture, bare = _open(data, name, max_pixels=max_pixels)
    with _named_errors(name):
        return _pixels(picture, bare.levels, bare.orientation)


def _open(
    data: bytes, name: str, *, max_pixels: int | None = None, most_frames: int = 1
) -> tuple[Image.Image, BarePicture]:
    """A picture without its metadata, its header read by Pillow."""
    kind = picture_kind(data[:START_BYTES])
    if kind is None:
        _refuse(
            name,
            f"not a whole picture (none of {', '.join(FORMATS)}). Copy it again, or take another.",
        )
    if kind not in FORMATS:
        _refuse(name, f"a {kind} picture, which cannot be read. {_CURES.get(kind, 'Save it as JPEG or PNG')}.")
    with _named_errors(name):
        bare = bare_picture(data, kind, most_frames=most_frames)
        _require_size(name, bare.width_px, bare.height_px, max_pixels)
        picture = Image.open(io.BytesIO(bare.data), formats=[kind])
        _require_size(name, picture.width, picture.height, max_pixels)
        if kind == "AVIF":  # Pillow reports AVIF's own rotation as EXIF
            bare = replace(bare, orientation=_orientation_of(picture))
        return picture, bare


def _num_frames(picture: Image.Image, name: str) -> int:
    with _named_errors(name):
        return getattr(picture, "n_frames", 1)


@contextmanager
def _named_errors(name: str) -> Iterator[None]:
    """Whatever a decoder raises, and whatever its class, as our error; a warning, too, where warnings are errors."""
    try:
        yield
    except UnreadablePhotoError:
        raise
    except RefusedPictureError as error:
        _refuse(name, str(error))
    except Image.DecompressionBombError:
        _refuse(name, f"more than {MAX_PIXELS} pixels. Scale it down.")
    except MemoryError:
        _refuse(name, "it does not fit in memory. Scale it down.")
    except Exception as error:
        _refuse(name, f"not a whole picture ({str(error) or type(error).__name__}). Copy it again.")


def _refuse(name: str, complaint: str) -> NoReturn:
    raise UnreadablePhotoError(f"{name}: {complaint}") from None


def _require_size(name: str, width: int, height: int, max_pixels: int | None = None) -> None:
    most = MAX_PIXELS if max_pixels is None else max_pixels
    if width * height > most:
        _refuse(name, f"{width}x{height} is more than {most} pixels. Scale it down.")


def _levels_of(picture: Image.Image) -> Levels:
    """Of a picture that Pillow has opened: 16 bits by its mode; unknown for wider numbers."""
    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format in ("PNG", "PPM")):
        return Levels(16, white=65535, is_sure=picture.format == "PPM")
    return Levels(32, white=None) if picture.mode in ("I", "F") else Levels()


def _orientation_of(picture: Image.Image) -> int:
    """Of a picture that Pillow has opened and decoded, and has already rotated if it is a TIFF."""
    exif, xmp = (picture.info.get(key, b"") for key in ("exif", "xmp"))
    xmp = picture.info.get("XML:com.adobe.xmp", xmp)
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    return 1 if picture.format == "TIFF" else picture_file.exif_orientation(exif, xmp)


def _pixels(picture: Image.Image, levels: Levels, orientation: int) -> np.ndarray:
    """(H, W, 3) uint8, RGB, upright."""
    if picture.mode == "F" or picture.mode.startswith("I"):
        rgb = Image.fromarray(_grey_as_8_bit(np.asarray(picture), levels)).convert("RGB")
    else:
        rgb = _on_white(picture)
        is_full_range = levels.is_sure and levels.white == 65535
        if levels.bits == 16 and not is_full_range and np.asarray(rgb).max() < 64:
            raise _unknown_range(16)  # Pillow keeps the higher byte of each sample
    return np.array(rgb.transpose(_TURNS[orientation]) if orientation in _TURNS else rgb)


def _grey_as_8_bit(values: np.ndarray, levels: Levels) -> np.ndarray:
    """Grey values of any range, (H, W), scaled to 0 (black) to 255 (white)."""
    black, white = levels.black, levels.white
    if white is None:
        raise RefusedPictureError(
            f"its pixels are {values.dtype.name} numbers, and the file does not define which is white; save it as 8 or "
            "16 bit."
        )
    values = np.nan_to_num(values.astype(np.float64))
    if not levels.is_sure:
        brightest, largest = values.max(), 2**levels.bits - 1
        white = largest if brightest > white > black else white
        if white == largest and 0 < brightest < largest / 4:
            raise _unknown_range(levels.bits)
    return ((values - black) / (white - black) * 255).round().clip(0, 255).astype(np.uint8)


def _unknown_range(bits: int) -> RefusedPictureError:
    return RefusedPictureError(
        f"it has {bits} bits per sample and uses only the darkest quarter of them, as a camera of fewer bits does, "
        "and the file does not define which value is white; save it as 8 bit."
    )


def _on_white(picture: Image.Image) -> Image.Image:
    """A picture of 8 bits per sample as RGB, composited onto white."""
    if picture.mode not in ("RGBA", "RGBa", "LA", "PA") and "transparency" not in picture.info:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
