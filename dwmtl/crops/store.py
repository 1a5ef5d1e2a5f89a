"""Storage of aligned crops: a file each, or many in one archive, so that DVC need not track millions of files.

A crop's place is its path below the set's folder; in an archive it is of the form `shards/00012.zip/photos/a.jpg.png`.
"""

import io
import os
import re
import shutil
from functools import lru_cache
from os import getpid
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from PIL import Image

from dwmtl.files import name_with_ending

_IN_SHARD = re.compile(r"(?P<archive>.*?/shards/\d{5,}\.zip)/(?P<name>photos/.*)", re.DOTALL)


class CropArchive:
    """Writes crops, encoded as PNG, into one archive; the same crops in the same order give the same bytes."""

    def __init__(self, path: Path):
        self._archive = ZipFile(path, "w")

    def write(self, photo: str, picture: bytes, *, face: int | None = None) -> str:
        """Write the crop of a photo, or of one of its faces; its place in the archive, or as a file of its own."""
        folder, slash, name = f"photos/{photo}".rpartition("/")
        name = folder + slash + name_with_ending(name, ".png" if face is None else f".{face}.png")
        self._archive.writestr(ZipInfo(name), picture, ZIP_STORED)  # ZipInfo's date is always the same
        return name

    def __enter__(self) -> "CropArchive":
        return self

    def __exit__(self, kind, error, trace) -> None:
        self._archive.close()


def put_archive(archive: Path, folder: Path, number: int) -> str:
    """Link an archive into a set's folder, or copy it; returns the prefix of its crops' places."""
    place = f"shards/{number:05d}.zip"
    (folder / "shards").mkdir(exist_ok=True)
    try:
        os.link(archive, folder / place)
    except OSError:  # another file system
        shutil.copyfile(archive, folder / place)
    return f"{place}/"


def put_files(archive: Path, folder: Path) -> str:
    """Extract the crops of an archive into a set's folder; returns the prefix of their places, which is empty."""
    with ZipFile(archive) as opened:
        for name in opened.namelist():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(opened.read(name))
    return ""


def open_crop(path: Path | str) -> Image.Image:
    """Open a crop by its full path, from its file or its archive."""
    place = _IN_SHARD.fullmatch(str(path))
    if place is None:
        return Image.open(path)
    return Image.open(io.BytesIO(_archive(place["archive"], getpid()).read(place["name"])))


@lru_cache(maxsize=16)
def _archive(path: str, process: int) -> ZipFile:
    """An open archive, cached per process: a shared file handle would have one position for all of them."""
    return ZipFile(path)
