"""What decodes a set's photos by their names in the manifest: files below its folder, or pictures in a pack.

Apart from the adapters, so that a new adapter does not make DVC align every set again.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from dwmtl.crops.photos import decode_photo, read_photo
from dwmtl.datasets import bin_pack, record_pack

_PACKS = {"bin_pack": bin_pack.open_pictures, "record_pack": record_pack.open_pictures}
"""Adapters whose photos are no files: what gives a photo's encoded picture."""


def open_pictures(adapter: str, folder: Path) -> Callable[[str], bytes]:
    """A photo's name -> its picture as it is encoded; it raises `OSError` where there is no such file."""
    if adapter in _PACKS:
        return _PACKS[adapter](folder)
    return lambda photo: (folder / photo).read_bytes()


def open_photos(adapter: str, folder: Path) -> Callable[[str], np.ndarray]:
    """A photo's name -> (H, W, 3) uint8, RGB; it raises `UnreadablePhotoError`, see `photos.read_photo`."""
    if adapter not in _PACKS:
        return lambda photo: read_photo(folder / photo)
    picture = _PACKS[adapter](folder)
    return lambda photo: decode_photo(picture(photo), f"{folder}, {photo}")
