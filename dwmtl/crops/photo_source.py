"""Decoding the photos of a data set by their names in the manifest, from files or from a pack."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from dwmtl.crops.photos import decode_photo, read_photo
from dwmtl.datasets.packs.pictures import is_pack, open_pictures


def open_photos(adapter: str, folder: Path) -> Callable[[str], np.ndarray]:
    """A function that decodes a photo by its name to (H, W, 3) uint8, RGB.

    It raises `UnreadablePhotoError`, see `photos`.
    """
    if not is_pack(adapter):
        return lambda photo: read_photo(folder / photo)
    picture = open_pictures(adapter, folder)
    return lambda photo: decode_photo(picture(photo), f"{folder}, {photo}")
