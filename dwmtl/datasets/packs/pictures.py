"""A photo's encoded picture, by its name in the manifest: the bytes of a file, or a picture in a pack or table.

The only module of `datasets` that stages after `index` need; it imports no adapter, so that a new adapter reruns only
`index`.
"""

from collections.abc import Callable
from pathlib import Path

from dwmtl.datasets.packs.bin_pack import find_bin_pack, photo_names, read_bin_pack
from dwmtl.datasets.packs.fer2013_table import TABLE, encoded_picture, face_name, faces
from dwmtl.datasets.packs.record_pack import RecordPack


def open_pictures(adapter: str, folder: Path) -> Callable[[str], bytes]:
    """A function that reads a photo's encoded picture by its name in the manifest of `adapter`.

    It raises `OSError` where the file does not exist.
    """
    if is_pack(adapter):
        return _PACKS[adapter](folder)
    return lambda photo: (folder / photo).read_bytes()


def is_pack(adapter: str) -> bool:
    """Whether the photos of an adapter are in a pack, not in files."""
    return adapter in _PACKS


def _pictures_of_bin_pack(folder: Path) -> Callable[[str], bytes]:
    """By the names of `photo_names`; the pack is held in memory."""
    path = find_bin_pack(folder)
    pack = read_bin_pack(path)
    pictures = dict(zip(photo_names(path.stem, len(pack.is_same)), pack.pictures, strict=True))
    return pictures.__getitem__


def _pictures_of_record_pack(folder: Path) -> Callable[[str], bytes]:
    """By names `<identity>/<key>`, from the mapped pack."""
    pack = RecordPack(folder)
    return lambda photo: pack.picture_bytes(int(photo.rpartition("/")[2]))


def _pictures_of_fer2013(folder: Path) -> Callable[[str], bytes]:
    """By names `<usage>/<row>`; the pictures are held in memory, 83 MB for the whole set."""
    pictures = {face_name(face): encoded_picture(face) for face in faces(folder / TABLE)}
    return pictures.__getitem__


_PACKS = {"bin_pack": _pictures_of_bin_pack, "fer2013": _pictures_of_fer2013, "record_pack": _pictures_of_record_pack}
