"""The frames of a clip, one at a time: a video file, an animated picture, or a folder of pictures.

The first bytes of a file decide what it is. OpenCV opens only files that these identify as a video, since it would
follow a playlist to other files and hosts. Knows nothing of faces.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from dwmtl.crops.photos import MAX_PIXELS, is_animated, kind_of_file, read_frames, read_photo
from dwmtl.datasets.data_set import pictures_of
from dwmtl.errors import UnreadablePhotoError

VIDEO_ENDINGS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")
"""Endings of videos, for files whose content cannot be read."""

_VIDEO = re.compile(
    rb"RIFF....AVI |....(?:ftyp|moov|mdat|wide|free|skip)|\x1aE\xdf\xa3|0&\xb2u\x8ef\xcf\x11|OggS|FLV|DKIF|YUV4MPEG2 "
    rb"|\0\0\x01[\xb3\xba]|\0\0\0\x01[\x67\x27\x40]|\x06\x0e\x2b\x34|G.{187}G|.{4}G.{191}G",
    re.DOTALL,
)
"""AVI, MP4 and related forms, Matroska, WebM, WMV, Ogg, FLV, IVF, Y4M, MPEG, H.264, H.265, MXF, transport streams."""

MAX_PIPE_BYTES = 2 * 2**30
"""Limit of a clip from a pipe."""

_START_BYTES = 256
_MORE_READS = 100
"""Reads after a frame that fails: if one succeeds, the frame was damaged; if none does, the video has ended."""


def is_clip(path: Path) -> bool:
    """Whether a path is a folder, a video, or a picture with several frames; anything else is taken for a photo.

    The content decides, or the ending where the file cannot be read.
    """
    if path.is_dir():
        return True
    if not path.is_file():
        return path.suffix.lower() in VIDEO_ENDINGS
    if kind_of_file(path) is not None:
        return is_animated(path)
    return _is_video(path) or path.suffix.lower() in VIDEO_ENDINGS


@contextmanager
def as_file(path: Path) -> Iterator[Path]:
    """A path that can be read more than once: itself or, of a pipe, a copy that is removed when the block ends.

    Raises:
        UnreadablePhotoError: the pipe has more than MAX_PIPE_BYTES.
    """
    if path.is_dir() or path.is_file() or not path.exists():
        yield path
        return
    with TemporaryDirectory(prefix="dwmtl-") as folder:
        copy = Path(folder) / path.name
        with path.open("rb") as pipe, copy.open("xb") as file:
            while part := pipe.read(2**20):
                if file.tell() + len(part) > MAX_PIPE_BYTES:
                    raise UnreadablePhotoError(f"{path}: more than {MAX_PIPE_BYTES // 2**20} MiB. Save it to a file.")
                file.write(part)
        yield copy


def clip_frames(path: Path, *, every: int = 1) -> Iterator[np.ndarray]:
    """The frames of a clip in their order, each (H, W, 3) uint8 RGB; one is in memory at a time.

    Args:
        path: a video that OpenCV reads; an animated GIF, PNG, WebP or AVIF; or a folder of pictures, in the order of
            their names: numbers in them count as numbers, so `frame10` follows `frame9`.
        every: take every n-th frame, beginning with the first.
    Raises:
        UnreadablePhotoError: there is no such file, it is not a video, a folder has no pictures, a picture or frame is
            damaged, or a video ends before its declared length.
    """
    if path.is_dir():
        frames = _pictures(path)
    elif path.is_file() and kind_of_file(path) is not None:
        frames = read_frames(path)
    else:
        frames = _video(path)
    yield from islice(frames, 0, None, every)


def _pictures(folder: Path) -> Iterator[np.ndarray]:
    names = sorted(pictures_of(folder), key=_natural)
    if not names:
        raise UnreadablePhotoError(f"{folder}: no pictures in this folder. A clip is a video, or a folder of frames.")
    return (read_photo(folder / name) for name in names)


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


def _is_video(path: Path) -> bool:
    with path.open("rb") as file:
        return _VIDEO.match(file.read(_START_BYTES)) is not None


def _video(path: Path) -> Iterator[np.ndarray]:
    if not path.is_file():
        raise UnreadablePhotoError(f"{path}: no such file.")
    try:
        os.path.abspath(path).encode()
    except UnicodeEncodeError:  # OpenCV would crash
        raise UnreadablePhotoError(f"{str(path)!r}: OpenCV opens no file whose name is not UTF-8. Rename it.") from None
    if not _is_video(path):
        raise _unreadable(path)
    video = cv2.VideoCapture(os.path.abspath(path))  # absolute, so that OpenCV does not take its start for a protocol
    try:
        if not video.isOpened():
            raise _unreadable(path)
        yield from _frames(video, path)
    except cv2.error:
        raise _unreadable(path) from None
    finally:
        video.release()


def _frames(video: cv2.VideoCapture, path: Path) -> Iterator[np.ndarray]:
    num_frames, end_ms = 0, 0.0
    while (frame := _next_frame(video, path, num_frames)) is not None:
        if frame.shape[0] * frame.shape[1] > MAX_PIXELS:
            raise UnreadablePhotoError(f"{path}: frames of more than {MAX_PIXELS} pixels. Scale it down.")
        yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        num_frames += 1
        end_ms = max(end_ms, video.get(cv2.CAP_PROP_POS_MSEC))
    _require_whole(video, path, num_frames, end_ms / 1000)


def _next_frame(video: cv2.VideoCapture, path: Path, number: int) -> np.ndarray | None:
    """The next frame, (H, W, 3) BGR; None at the end."""
    is_read, frame = video.read()
    if is_read:
        return frame
    if any(video.grab() and video.retrieve()[0] for _ in range(_MORE_READS)):
        raise UnreadablePhotoError(f"{path}: frame {number} is damaged. Copy the clip again, or film it anew.")
    return None


def _require_whole(video: cv2.VideoCapture, path: Path, num_frames: int, end_s: float) -> None:
    """Refuse a video that ends well before the length in its header, where the header has one."""
    rate, declared = video.get(cv2.CAP_PROP_FPS), video.get(cv2.CAP_PROP_FRAME_COUNT)
    length_s = declared / rate if rate > 0 and declared > 0 else 0.0
    between_s = end_s / max(1, num_frames - 1)
    if num_frames == 0:
        raise _unreadable(path)
    if end_s + between_s < 0.9 * length_s:
        raise UnreadablePhotoError(
            f"{path}: its {num_frames} frames end at {end_s:.1f} of {length_s:.1f} s: it is cut off or damaged. Copy "
            "it again, or save it as MP4 (H.264) or as pictures."
        )


def _unreadable(path: Path) -> UnreadablePhotoError:
    return UnreadablePhotoError(f"{path}: no video that OpenCV reads. Save it as MP4 (H.264) or as pictures.")
