"""The frames of a clip, one at a time: a video file, or a folder of pictures. Knows nothing of faces."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from dwmtl.crops.photos import MAX_PIXELS, read_photo
from dwmtl.datasets.data_set import pictures_of
from dwmtl.errors import UnreadablePhotoError

VIDEO_ENDINGS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")


def is_clip(path: Path) -> bool:
    """Whether a path is a folder, or a video by its ending; anything else is taken for a photo."""
    return path.is_dir() or path.suffix.lower() in VIDEO_ENDINGS


def clip_frames(path: Path, *, every: int = 1) -> Iterator[np.ndarray]:
    """The frames of a clip in their order, each (H, W, 3) uint8 RGB; one is in memory at a time.

    Args:
        path: a video that OpenCV reads, or a folder of pictures, in the order of their names: numbers in them count as
            numbers, so `frame10` follows `frame9`.
        every: 1: each frame; n: the first of n.
    Raises:
        UnreadablePhotoError: no such file, no video, a folder without pictures, or a damaged picture.
    """
    frames = _pictures(path) if path.is_dir() else _video(path)
    yield from islice(frames, 0, None, every)


def _pictures(folder: Path) -> Iterator[np.ndarray]:
    names = sorted(pictures_of(folder), key=_natural)
    if not names:
        raise UnreadablePhotoError(f"{folder}: no pictures in this folder. A clip is a video, or a folder of frames.")
    return (read_photo(folder / name) for name in names)


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


def _video(path: Path) -> Iterator[np.ndarray]:
    if not path.is_file():
        raise UnreadablePhotoError(f"{path}: no such file.")
    video = cv2.VideoCapture(str(path))
    try:
        is_read, frame = video.read()
        if not is_read:
            raise UnreadablePhotoError(f"{path}: no video that OpenCV reads. Save it as MP4 (H.264) or as pictures.")
        while is_read:
            if frame.shape[0] * frame.shape[1] > MAX_PIXELS:
                raise UnreadablePhotoError(f"{path}: frames of more than {MAX_PIXELS} pixels. Scale it down.")
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            is_read, frame = video.read()
    finally:
        video.release()
