"""Labeled Faces in the Wild: `Name_Surname/Name_Surname_0001.jpg` and `pairs.txt`, whose blocks are the folds."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from dwmtl.datasets.data_set import DataSet, manifest, numbered_lines, pair_table
from dwmtl.errors import DataSetError

VIEW_1 = {"train": "pairsDevTrain.txt", "test": "pairsDevTest.txt"}


def read(folder: Path, *, num_peak_frames: int) -> DataSet:
    """The official pairs and the photos that they name. `num_peak_frames` has no meaning here.

    Raises:
        DataSetError: a line that is no pair, blocks that do not add up, or a pair naming a photo that is not there.
    """
    pairs_file = folder / "pairs.txt"
    lines = numbered_lines(pairs_file)
    num_blocks, num_a_kind = _header(pairs_file, lines)
    return _data_set(folder, pairs_file, lines, num_blocks, num_a_kind)


def read_view_1(folder: Path, part: Literal["train", "test"]) -> DataSet:
    """The pairs to develop on, which are in no block of the official ones, and the photos that they name.

    `pairsDevTrain.txt` and `pairsDevTest.txt` are like `pairs.txt` but one block: their first line is the number of
    pairs of a kind alone. Every pair's fold is 0.

    Raises:
        DataSetError: as `read`.
    """
    pairs_file = folder / VIEW_1[part]
    lines = numbered_lines(pairs_file)
    return _data_set(folder, pairs_file, lines, 1, _view_1_header(pairs_file, lines))


def _data_set(
    folder: Path, pairs_file: Path, lines: Iterator[tuple[int, str]], num_blocks: int, num_a_kind: int
) -> DataSet:
    """The pairs of the lines, cut into blocks and counted, and the photos that they name."""
    rows, photos = [], {}
    for index, (number, line) in enumerate(lines):
        where = f"{pairs_file}, line {number}"
        photo_a, photo_b, is_same = _pair(where, line)
        for photo in (photo_a, photo_b):
            if photo not in photos:
                _require(where, folder, photo)
            photos[photo] = photo.split("/")[0]
        rows.append((photo_a, photo_b, is_same, index // (2 * num_a_kind)))
    genuine = Counter(fold for _, _, is_same, fold in rows if is_same)
    if len(rows) != 2 * num_blocks * num_a_kind or any(genuine[b] != num_a_kind for b in range(num_blocks)):
        raise DataSetError(
            f"{pairs_file}: {len(rows)} pairs, {sum(genuine.values())} of them genuine; the first line announces "
            f"{num_blocks} blocks of {num_a_kind} genuine and {num_a_kind} impostor pairs. Copy the file again."
        )
    return DataSet(
        manifest([{"photo": photo, "subject": subject} for photo, subject in photos.items()]), pair_table(rows)
    )


def _header(pairs_file: Path, lines: Iterator[tuple[int, str]]) -> tuple[int, int]:
    """Number of blocks, and of pairs of either kind in each."""
    fields = next(lines, (1, ""))[1].split()
    if len(fields) != 2 or not all(_is_number(field) and int(field) > 0 for field in fields):
        raise DataSetError(
            f"{pairs_file}, line 1: must be the number of blocks and of pairs of a kind, as in `10 300`."
        )
    return int(fields[0]), int(fields[1])


def _view_1_header(pairs_file: Path, lines: Iterator[tuple[int, str]]) -> int:
    """Number of pairs of either kind."""
    fields = next(lines, (1, ""))[1].split()
    if len(fields) != 1 or not _is_number(fields[0]) or int(fields[0]) == 0:
        raise DataSetError(f"{pairs_file}, line 1: must be the number of pairs of a kind, as in `1100`.")
    return int(fields[0])


def _pair(where: str, line: str) -> tuple[str, str, bool]:
    """`name i j`: two photos of a person; `nameA i nameB j`: photos of two people."""
    fields = line.split("\t") if "\t" in line else line.split()
    if len(fields) == 3 and _is_number(fields[1]) and _is_number(fields[2]):
        return _photo(fields[0], fields[1]), _photo(fields[0], fields[2]), True
    if len(fields) == 4 and _is_number(fields[1]) and _is_number(fields[3]) and fields[0] != fields[2]:
        return _photo(fields[0], fields[1]), _photo(fields[2], fields[3]), False
    raise DataSetError(
        f"{where}: must be `name i j` or, of two people, `name i name j`. Got {line.strip()[:80]!r} instead."
    )


def _is_number(field: str) -> bool:
    return field.isdecimal() and len(field) <= 6


def _photo(name: str, number: str) -> str:
    return f"{name}/{name}_{int(number):04d}.jpg"


def _require(where: str, folder: Path, photo: str) -> None:
    name = photo.split("/")[0]
    if name in (".", "..", "") or photo.count("/") != 1:
        raise DataSetError(f"{where}: {name!r} is no person's folder.")
    if not (folder / photo).is_file():
        raise DataSetError(
            f"{where}: names {folder / photo}, which is not there. Every pair is scored: complete the set."
        )
