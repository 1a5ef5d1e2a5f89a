"""Labeled Faces in the Wild: `Name_Surname/Name_Surname_0001.jpg` and `pairs.txt`, whose blocks are the folds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from dwmtl.datasets.data_set import DataSet, manifest, pair_table
from dwmtl.datasets.pairs_file import PairLine, read_pairs
from dwmtl.errors import DataSetError

TERMS = "LFW: press photographs of public people, free for research; nobody on them was asked."

VIEW_1 = {"train": "pairsDevTrain.txt", "test": "pairsDevTest.txt"}


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """The official pairs and the photos that they name. `num_peak_frames` has no meaning here.

    Raises:
        DataSetError: a line that is no pair, blocks that do not add up, or a pair naming a photo that is not there.
    """
    pairs_file = folder / "pairs.txt"
    return _data_set(folder, pairs_file, read_pairs(pairs_file))


def read_view_1(folder: Path, part: Literal["train", "test"]) -> DataSet:
    """The pairs to develop on, which are in no block of the official ones, and the photos that they name.

    `pairsDevTrain.txt` and `pairsDevTest.txt` are like `pairs.txt` but one block: their first line is the number of
    pairs of a kind alone. Every pair's fold is 0.

    Raises:
        DataSetError: as `read`.
    """
    pairs_file = folder / VIEW_1[part]
    return _data_set(folder, pairs_file, read_pairs(pairs_file, is_view_1=True))


def _data_set(folder: Path, pairs_file: Path, pairs: Iterator[PairLine]) -> DataSet:
    """The pairs, and the photos that they name."""
    rows, photos = [], {}
    for pair in pairs:
        names = _photo(pair.image_a), _photo(pair.image_b)
        for photo in names:
            if photo not in photos:
                _require(f"{pairs_file}, line {pair.line}", folder, photo)
            photos[photo] = photo.split("/")[0]
        rows.append((*names, pair.is_same, pair.fold))
    return DataSet(
        manifest([{"photo": photo, "subject": subject} for photo, subject in photos.items()]), pair_table(rows)
    )


def _photo(image: str) -> str:
    return f"{image.rsplit('_', 1)[0]}/{image}.jpg"


def _require(where: str, folder: Path, photo: str) -> None:
    name = photo.split("/")[0]
    if name in (".", "..", "") or photo.count("/") != 1:
        raise DataSetError(f"{where}: {name!r} is no person's folder.")
    if not (folder / photo).is_file():
        raise DataSetError(
            f"{where}: names {folder / photo}, which is not there. Every pair is scored: complete the set."
        )
