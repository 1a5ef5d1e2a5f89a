"""LFW's `pairs.txt`, a format that other sets use, too: blocks of genuine and impostor pairs, each a fold.

The first line is `10 300`: the number of blocks, and of pairs of each kind per block. Then `name i j` is two images of
one person, `nameA i nameB j` images of two people. The files of LFW's View 1 hold a single block and one number in
their first line; they are refused unless `is_view_1`, since a fold's threshold comes from the other folds. The file is
read line by line. Knows nothing of where the images are.
"""

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dwmtl.datasets.text_lines import numbered_lines
from dwmtl.errors import DataSetError


class PairLine(NamedTuple):
    """A pair as the file names it: `image_a`, `image_b` such as `Aaron_Eckhart_0001`; `fold`: its block, from 0."""

    line: int
    image_a: str
    image_b: str
    is_same: bool
    fold: int


def read_pairs(path: Path, *, is_view_1: bool = False) -> Iterator[PairLine]:
    """The pairs, in the file's order.

    Args:
        is_view_1: whether the file is of LFW's View 1: one block, and a first line with the number of pairs per kind.
    Raises:
        DataSetError: the file is missing or not text, holds one block, a line is not a pair, or the blocks do not add
            up to what the first line announces (raised after the last pair).
    """
    lines = numbered_lines(path)
    num_blocks, num_per_kind = (1, _view_1_header(path, lines)) if is_view_1 else _header(path, lines)
    blocks: list[_Block] = []
    for index, (number, line) in enumerate(lines):
        if index % (2 * num_per_kind) == 0:
            blocks.append(_Block(first_line=number))
        pair = PairLine(number, *_pair(path, number, line), fold=len(blocks) - 1)
        blocks[-1].add(pair)
        yield pair
    _require_whole_blocks(path, blocks, num_blocks, num_per_kind)


class _Block:
    """Counts of the pairs of a block that were read so far."""

    def __init__(self, first_line: int):
        self.first_line = self.last_line = first_line
        self.num_pairs = self.num_genuine = 0

    def add(self, pair: PairLine) -> None:
        self.last_line = pair.line
        self.num_pairs += 1
        self.num_genuine += pair.is_same


def _header(path: Path, lines: Iterator[tuple[int, str]]) -> tuple[int, int]:
    """Number of blocks, and of pairs of each kind per block."""
    fields = next(lines, (1, ""))[1].split()
    if len(fields) not in (1, 2) or not all(_is_number(field) and int(field) > 0 for field in fields):
        raise DataSetError(f"{path}, line 1: must be the number of blocks and of pairs per kind, as in `10 300`.")
    if len(fields) == 1 or int(fields[0]) == 1:
        raise DataSetError(
            f"{path}, line 1: announces one block of pairs, as the files of LFW's View 1 do. A fold's threshold is "
            "chosen on the pairs of the other folds: use a file of several blocks, such as View 2's pairs.txt."
        )
    return int(fields[0]), int(fields[1])


def _view_1_header(path: Path, lines: Iterator[tuple[int, str]]) -> int:
    """Number of pairs of each kind."""
    fields = next(lines, (1, ""))[1].split()
    if len(fields) != 1 or not _is_number(fields[0]) or int(fields[0]) == 0:
        raise DataSetError(f"{path}, line 1: must be the number of pairs per kind, as in `1100`.")
    return int(fields[0])


def _pair(path: Path, number: int, line: str) -> tuple[str, str, bool]:
    fields = [field.strip() for field in line.split("\t")] if "\t" in line else line.split()
    if len(fields) == 3 and _is_number(fields[1]) and _is_number(fields[2]):
        return _image(fields[0], fields[1]), _image(fields[0], fields[2]), True
    if len(fields) == 4 and _is_number(fields[1]) and _is_number(fields[3]) and fields[0] != fields[2]:
        return _image(fields[0], fields[1]), _image(fields[2], fields[3]), False
    raise DataSetError(
        f"{path}, line {number}: must be `name i j` or, of two people, `name i name j`. "
        f"Got {line.strip()[:80]!r} instead."
    )


def _is_number(field: str) -> bool:
    return field.isdecimal() and len(field) <= 6


def _image(name: str, number: str) -> str:
    return f"{unicodedata.normalize('NFC', name)}_{int(number):04d}"


def _require_whole_blocks(path: Path, blocks: list[_Block], num_blocks: int, num_per_kind: int) -> None:
    num_pairs, num_genuine = sum(b.num_pairs for b in blocks), sum(b.num_genuine for b in blocks)
    wrong = next((b for b in blocks if (b.num_pairs, b.num_genuine) != (2 * num_per_kind, num_per_kind)), None)
    if num_pairs == 2 * num_blocks * num_per_kind and wrong is None:
        return
    message = (
        f"{path}: {num_pairs} pairs, {num_genuine} of them genuine; the first line announces {num_blocks} "
        f"blocks of {num_per_kind} genuine and {num_per_kind} impostor pairs."
    )
    if wrong is not None:
        message += (
            f" Lines {wrong.first_line} to {wrong.last_line} should be one of them and hold {wrong.num_genuine} "
            f"genuine and {wrong.num_pairs - wrong.num_genuine} impostor pairs."
        )
        if wrong.num_pairs > 1 and wrong.num_genuine in (0, wrong.num_pairs):
            message += " The accuracy on pairs of one kind would only measure the threshold: interleave the kinds."
    raise DataSetError(f"{message} Copy the file again.")
