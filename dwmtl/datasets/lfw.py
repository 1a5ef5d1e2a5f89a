"""Labeled Faces in the Wild: `Name_Surname/Name_Surname_0001.jpg` and `pairs.txt`, whose blocks are the folds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pandas as pd

from dwmtl.datasets.data_set import DataSet, NamedPictures, manifest, pair_table
from dwmtl.datasets.pairs_file import PairLine, read_pairs
from dwmtl.datasets.photo_path import folder_of_names
from dwmtl.errors import DataSetError

TERMS = "LFW: press photographs of public people, free for research; nobody on them was asked."

VIEW_1 = {"1-train": "pairsDevTrain.txt", "1-test": "pairsDevTest.txt"}
NUM_BLOCKS = 10


def read(folder: Path, *, num_peak_frames: int, view: Literal["1-train", "1-test"] | None = None) -> DataSet:
    """The pairs of a view and the photos that they name. `num_peak_frames` is ignored.

    The files of View 1 hold pairs for development, which are in no block of View 2, in a single block. A threshold is
    never chosen on the pairs that it is applied to, so this block is cut into ten with equal shares of genuine and
    impostor pairs. Unlike those of View 2, these blocks share people.

    Args:
        view: part of View 1; None: View 2, `pairs.txt`.
    Raises:
        DataSetError: a line is not a pair, the blocks do not add up, a pair names a photo that does not exist, or
            View 1 has too few pairs for ten blocks.
    """
    if view is None:
        pairs_file = folder / "pairs.txt"
        return _data_set(folder, pairs_file, read_pairs(pairs_file))
    pairs_file = folder / VIEW_1[view]
    data_set = _data_set(folder, pairs_file, read_pairs(pairs_file, is_view_1=True))
    return DataSet(data_set.photos, _cut(pairs_file, data_set.pairs))


def _cut(pairs_file: Path, pairs: pd.DataFrame) -> pd.DataFrame:
    """Cut pairs, which are sorted by kind, into blocks of consecutive pairs of each kind."""
    num_per_kind = len(pairs) // 2
    if num_per_kind < NUM_BLOCKS:
        raise DataSetError(
            f"{pairs_file}: {num_per_kind} pairs per kind are too few for {NUM_BLOCKS} blocks. Copy it again."
        )
    place = pairs.groupby("is_same_identity").cumcount()
    return pairs.assign(fold=place * NUM_BLOCKS // num_per_kind).sort_values("fold", kind="stable", ignore_index=True)


def _data_set(folder: Path, pairs_file: Path, pairs: Iterator[PairLine]) -> DataSet:
    """The pairs, and the photos that they name."""
    pictures = NamedPictures(folder)
    rows: list[tuple[str, str, bool, int]] = []
    photo_of: dict[str, str] = {}
    for pair in pairs:
        for image in (pair.image_a, pair.image_b):
            if image not in photo_of:
                photo_of[image] = photo_of_person(pictures, f"{pairs_file}, line {pair.line}", image)
        rows.append((photo_of[pair.image_a], photo_of[pair.image_b], pair.is_same, pair.fold))
    photos = [{"photo": photo, "subject": photo.split("/")[0]} for photo in sorted(set(photo_of.values()))]
    return DataSet(manifest(photos), pair_table(rows))


def photo_of_person(pictures: NamedPictures, where: str, image: str) -> str:
    """The path of `Name_Surname_0001` below the set's folder.

    Raises:
        DataSetError: there is no such photo, or several, or no person can have the name; the message starts with
            `where`.
    """
    return pictures.find(where, folder_of_names(where, image.rsplit("_", 1)[0]), image)
