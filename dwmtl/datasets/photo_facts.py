"""What only the photos themselves tell: their size, and digests by which the same photo is found again.

Knows nothing of subjects or expressions.
"""

import hashlib
from collections.abc import Callable, Iterable

import pandas as pd
from tqdm import tqdm

from dwmtl.datasets.photos import decode_photo
from dwmtl.errors import UnreadablePhotoError

PHOTO_FACTS = ("photo", "bytes_sha256", "pixels_sha256", "width_px", "height_px")
"""A row a photo, in the order it was asked for.

photo: as in the manifest · bytes_sha256: of the file, empty where there is none · pixels_sha256: of its RGB pixels, row
by row, as `decode_photo` gives them · width_px, height_px: of the same; empty where the photo cannot be decoded.
"""


def photo_facts(read: Callable[[str], bytes], photos: Iterable[str]) -> pd.DataFrame:
    """Read and decode every photo once.

    Args:
        read: gives a photo's encoded picture, see `photo_source.open_pictures`.
        photos: as in the manifest.
    Returns:
        Columns PHOTO_FACTS; digests in hexadecimal.
    """
    photos = list(photos)
    rows = [_facts(read, photo) for photo in tqdm(photos, desc="look at", unit="photo", disable=None)]
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
    return photo, digest, hashlib.sha256(pixels.tobytes()).hexdigest(), pixels.shape[1], pixels.shape[0]
