"""A `.bin` verification pack of insightface, alone in its folder: pairs with their blocks; the pictures stay in it."""

from collections.abc import Callable
from pathlib import Path

from dwmtl.datasets.data_set import DataSet, files_of, manifest
from dwmtl.datasets.packs.bin_pack import photo_names, read_bin_pack, verification_pairs
from dwmtl.errors import DataSetError

TERMS = "A verification pack: photographs of public people; the terms are those of the set it was packed from."


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """The pairs of the pack and their pictures, whose subjects the pack does not name.

    `num_peak_frames` has no meaning here.

    Raises:
        DataSetError: there is not exactly one `.bin` in the folder, or it is malformed.
    """
    path = _pack(folder)
    pack = read_bin_pack(path)
    photos = photo_names(path.stem, len(pack.is_same))
    return DataSet(
        manifest([{"photo": photo, "subject": ""} for photo in photos]), verification_pairs(photos, pack.is_same)
    )


def open_pictures(folder: Path) -> Callable[[str], bytes]:
    """Reads the encoded picture of a photo of `read`; the pack is held in memory."""
    path = _pack(folder)
    pack = read_bin_pack(path)
    pictures = dict(zip(photo_names(path.stem, len(pack.is_same)), pack.pictures, strict=True))
    return pictures.__getitem__


def _pack(folder: Path) -> Path:
    packs = [name for name in files_of(folder) if name.endswith(".bin")]
    if len(packs) != 1:
        raise DataSetError(f"{folder}: {len(packs)} files end in .bin; exactly one pack must lie in the folder.")
    return folder / packs[0]
