"""Where aligned crops lie: each a file, or many in one archive, so that DVC need not keep millions of files.

A crop's place is its path below the set's folder; of one in an archive it reads `shards/00012.zip/photos/a.jpg.png`.
"""

import io
from functools import lru_cache
from os import getpid
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from PIL import Image

_SHARD = ".zip/"


class CropWriter:
    """Writes crops as PNG below a folder; the same crops in the same order give the same bytes.

    Args:
        folder: the set's.
        crops_a_shard: crops in one archive; None: a file each.
    """

    def __init__(self, folder: Path, *, crops_a_shard: int | None):
        self._folder, self._crops_a_shard = folder, crops_a_shard
        self._num_written, self._shard, self._archive = 0, "", None

    def write(self, photo: str, crop: Image.Image) -> str:
        """Write the crop of a photo; its place."""
        name = f"photos/{photo}.png"
        if self._crops_a_shard is None:
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            crop.save(path, "PNG")
            return name
        if self._num_written % self._crops_a_shard == 0:
            self._next_shard()
        self._num_written += 1
        encoded = io.BytesIO()
        crop.save(encoded, "PNG")
        self._archive.writestr(ZipInfo(name), encoded.getvalue(), ZIP_STORED)  # ZipInfo's date is always the same
        return f"{self._shard}/{name}"

    def _next_shard(self) -> None:
        self.close()
        self._shard = f"shards/{self._num_written // self._crops_a_shard:05d}.zip"
        (self._folder / "shards").mkdir(exist_ok=True)
        self._archive = ZipFile(self._folder / self._shard, "w")

    def close(self) -> None:
        """Finish the last archive."""
        if self._archive is not None:
            self._archive.close()

    def __enter__(self) -> "CropWriter":
        return self

    def __exit__(self, kind, error, trace) -> None:
        self.close()


def open_crop(path: Path | str) -> Image.Image:
    """A crop by its whole path, from its file or its archive."""
    archive, is_inside, name = str(path).partition(_SHARD)
    if not is_inside:
        return Image.open(path)
    return Image.open(io.BytesIO(_archive(archive + ".zip", getpid()).read(name)))


@lru_cache(maxsize=16)
def _archive(path: str, process: int) -> ZipFile:
    """An open archive; each process has its own, as they would move one another's place in the file."""
    return ZipFile(path)
