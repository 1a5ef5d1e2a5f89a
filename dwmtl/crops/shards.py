"""The finished part of a run that may be killed: shards of the photos in a work folder, each complete or absent.

A shard's folder is named after its number and a digest of everything that its content depends on, so that a later run
reuses exactly the shards that are still valid. Knows nothing of how a shard is made.
"""

import functools
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dwmtl.files import write_json, write_text
from dwmtl.stage import code_sha256

log = logging.getLogger(__name__)

ARCHIVE, ROWS, DIGESTS = "crops.zip", "rows.json", "sha256.json"
CODE = ("crops", "datasets/packs", "files.py", "tables.py")
"""Parts of `dwmtl` that can change a crop: those that the stage `align` depends on (a test compares)."""


@dataclass(frozen=True)
class Shard:
    """Consecutive photos of a set, and the folder that holds their crops and rows once these are finished."""

    number: int
    photos: tuple[str, ...]
    folder: Path

    @property
    def is_finished(self) -> bool:
        """Whether the shard is there, and its files are what was written; a damaged one is deleted, with a warning."""
        if not self.folder.is_dir():
            return False
        try:
            is_whole = json.loads((self.folder / DIGESTS).read_text()) == _digests(self.folder)
        except (OSError, ValueError):
            is_whole = False
        if not is_whole:
            log.warning("%s is damaged (its SHA-256 differs); its photos are aligned again.", self.folder)
            shutil.rmtree(self.folder)
        return is_whole

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Yield a folder for the archive and the rows; it becomes the shard's folder when the block ends."""
        partial = self.folder.with_name(f"{self.folder.name}.{os.getpid()}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        yield partial
        write_json(_digests(partial), partial / DIGESTS)
        os.replace(partial, self.folder)

    def write_rows(self, rows: list[dict[str, object]], folder: Path) -> None:
        write_text(json.dumps(rows), folder / ROWS)

    def read_rows(self) -> list[dict[str, object]]:
        return json.loads((self.folder / ROWS).read_text())


def _digests(folder: Path) -> dict[str, str]:
    digests = {}
    for name in (ARCHIVE, ROWS):
        with (folder / name).open("rb") as file:
            digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def shards_of(
    photos: list[str], work_dir: Path, *, photos_per_shard: int, settings: object, stamp: Callable[[str], str]
) -> list[Shard]:
    """Cut photos into shards, and delete everything else from the work folder.

    Args:
        photos: names, in order.
        work_dir: for this output alone.
        photos_per_shard: > 0.
        settings: anything else that a shard depends on, besides its photos and the code; JSON.
        stamp: photo -> a text that changes when its file does.
    """
    base = [code_sha256(CODE), settings]
    shards = []
    for number, first in enumerate(range(0, len(photos), photos_per_shard)):
        names = tuple(photos[first : first + photos_per_shard])
        content = json.dumps([base, names, [stamp(name) for name in names]], sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()[:24]
        shards.append(Shard(number, names, work_dir / f"{number:05d}-{digest}"))
    work_dir.mkdir(parents=True, exist_ok=True)
    wanted = {shard.folder.name for shard in shards}
    for path in work_dir.iterdir():
        if path.name not in wanted:
            shutil.rmtree(path, ignore_errors=True)
    return shards


def stamps(photos_dir: Path) -> Callable[[str], str]:
    """A photo's name -> size and time of its file; for a photo in a pack, of every file in the folder."""

    @functools.cache
    def of_folder() -> str:
        return " ".join(f"{path.name} {_stamp(path)}" for path in sorted(photos_dir.glob("*")) if path.is_file())

    return lambda photo: _stamp(photos_dir / photo) or of_folder()


def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"
