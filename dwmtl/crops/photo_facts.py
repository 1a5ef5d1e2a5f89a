"""Facts that only a photo's file holds: its size, and digests that identify exact duplicates.

Knows nothing of subjects or expressions.
"""

import hashlib
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from dwmtl.crops.photos import decode_photo
from dwmtl.errors import UnreadablePhotoError
from dwmtl.progress import Progress
from dwmtl.tables import PHOTO_FACTS


def photo_facts(read: Callable[[str], bytes], photos: Iterable[str]) -> pd.DataFrame:
    """Read and decode every photo once.

    Args:
        read: returns a photo's encoded picture, see `packs.pictures.open_pictures`.
        photos: as in the manifest.
    Returns:
        Columns PHOTO_FACTS; digests in hexadecimal.
    """
    photos = list(photos)
    rows = [_facts(read, photo) for photo in Progress(photos, desc="decode", unit="photo")]
    table = pd.DataFrame(rows, columns=list(PHOTO_FACTS))
    return table.astype({"width_px": "Int64", "height_px": "Int64"})


def _facts(read: Callable[[str], bytes], photo: str) -> tuple[str, str, str, int | None, int | None]:
    try:
        picture = read(photo)
    except OSError:
        return photo, "", "", None, None
    digest = hashlib.sha256(picture).hexdigest()
    try:
        pixels = decode_photo(picture, photo)  # (H, W, 3)
    except UnreadablePhotoError:
        return photo, digest, "", None, None
    return photo, digest, _pixels_sha256(pixels), pixels.shape[1], pixels.shape[0]


def _pixels_sha256(pixels: np.ndarray) -> str:
    """Digest of (H, W, 3) uint8; includes the shape, since the same bytes can be pictures of different shapes."""
    digest = hashlib.sha256("x".join(map(str, pixels.shape)).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()
