"""A `.bin` verification pack of insightface, alone in its folder: pairs with their blocks; the pictures stay packed."""

from pathlib import Path

from dwmtl.datasets.data_set import DataSet, manifest
from dwmtl.datasets.packs.bin_pack import find_bin_pack, photo_names, read_bin_pack, verification_pairs

TERMS = "A verification pack: photographs of public people; the terms are those of the set it was packed from."


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """The pairs of the pack and their pictures. The pack names no subjects: each is the empty string.

    `num_peak_frames` is ignored.

    Raises:
        DataSetError: the folder does not hold exactly one `.bin`, or it is malformed.
    """
    path = find_bin_pack(folder)
    pack = read_bin_pack(path)
    photos = photo_names(path.stem, len(pack.is_same))
    return DataSet(
        manifest([{"photo": photo, "subject": ""} for photo in photos]), verification_pairs(photos, pack.is_same)
    )
