"""Digests of photos, by which exact duplicates are found. Knows nothing of subjects or labels."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from dwmtl.datasets.photos import read_photo
from dwmtl.errors import UnreadablePhotoError
from dwmtl.tables import DIGESTS


def digest_photos(folder: Path, photos: Iterable[str]) -> pd.DataFrame:
    """SHA-256 of the bytes and of the decoded pixels of photos.

    Args:
        folder: the set's.
        photos: paths below it, with forward slashes.
    Returns:
        Table of `tables.DIGESTS`, in the order of `photos`. A photo that cannot be read has empty digests: it equals
        no other, and the stage `align` reports it.
    """
    return pd.DataFrame([(photo, *_digests(Path(folder) / photo)) for photo in photos], columns=list(DIGESTS))


def _digests(path: Path) -> tuple[str, str]:
    try:
        pixels = read_photo(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), _digest_of_pixels(pixels)
    except (UnreadablePhotoError, OSError):
        return "", ""


def _digest_of_pixels(pixels: np.ndarray) -> str:
    """Of (H, W, 3) uint8; the shape is hashed first, as the same bytes can be pictures of different shapes."""
    digest = hashlib.sha256("x".join(map(str, pixels.shape)).encode())
    digest.update(np.ascontiguousarray(pixels))
    return digest.hexdigest()
