"""insightface's verification packs (`lfw.bin`, `cfp_fp.bin`, `agedb_30.bin`, ...): read without running any code.

A pack is a pickle of (list of 2N encoded pictures, list of N booleans); pictures 2i and 2i + 1 are pair i. The old ones
were written by Python 2.

Source: insightface lfw2pack.py writes them, `load_bin` of verification.py reads them.
"""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dwmtl.datasets.packs.files import map_file
from dwmtl.datasets.packs.unpickled import unpickled
from dwmtl.errors import DataSetError
from dwmtl.files import whole_file
from dwmtl.tables import VERIFICATION_PAIRS, is_one_line

NUM_FOLDS = 10
MAX_TIMES_ITS_SIZE = 10
"""Most bytes of all pictures together, as a multiple of the file's. A picture of several pairs may be in the file once,
named again by the pickle's memo: LFW's 12,000 places hold 7,701 pictures."""


@dataclass(frozen=True)
class BinPack:
    """A verification pack: 2N encoded pictures, of which 2i and 2i + 1 are pair i, and N labels."""

    pictures: list[bytes]
    is_same: list[bool]

    @property
    def num_bytes(self) -> int:
        """Of all pictures together; one that is named twice counts twice."""
        return sum(map(len, self.pictures))


def find_bin_pack(folder: Path) -> Path:
    """The only `.bin` file of a folder, apart from hidden ones.

    Raises:
        DataSetError: there is none or several, or a table cannot hold its name.
    """
    paths = [path for path in sorted(folder.glob("*.bin")) if path.is_file() and not path.name.startswith(".")]
    if len(paths) != 1:
        raise DataSetError(f"{folder}: {len(paths)} files end in .bin; exactly one pack must be in the folder.")
    if not is_one_line(paths[0].name):
        raise DataSetError(f"{folder}: the name {paths[0].name!r} is not UTF-8 text on one line. Rename the file.")
    return paths[0]


def read_bin_pack(path: Path) -> BinPack:
    """Read a `.bin` pack of any pickle protocol, including Python 2's. Code in it cannot run.

    Raises:
        DataSetError: the file is not a pickle, has an opcode or global that such a pack does not need or a length
            beyond the file, does not hold 2N pictures and N booleans, or names its pictures so often that they take
            more than MAX_TIMES_ITS_SIZE times its size.
    """
    path = Path(path)
    data = map_file(path)
    pack = _checked(unpickled(data, path), path)
    if pack.num_bytes > MAX_TIMES_ITS_SIZE * len(data):
        raise DataSetError(
            f"{path}: {len(data)} bytes that name pictures of {pack.num_bytes}, the same ones many times; more than "
            f"{MAX_TIMES_ITS_SIZE} times the file. Get the pack from its source."
        )
    return pack


def write_bin_pack(path: Path, pictures: Sequence[bytes], is_same: Sequence[bool]) -> None:
    """Write a pack that insightface reads, whole or not at all. The same pictures give the same bytes.

    Args:
        pictures: 2N encoded pictures; 2i and 2i + 1 are pair i.
        is_same: N labels.
    Raises:
        DataSetError: not 2N pictures and N booleans.
    """
    pack = _checked((list(pictures), [_as_bool(label) for label in is_same]), Path(path))
    with whole_file(path) as file:
        pickler = pickle.Pickler(file, protocol=4)  # 4: the last that insightface's Python versions read
        pickler.fast = True  # no memo: the bytes depend on the pictures, not on which of them are one object
        pickler.dump((pack.pictures, pack.is_same))


def photo_names(
    stem: str, num_pairs: int, *, pairs_per_shard: int | None = None, endings: Sequence[str] = ()
) -> list[str]:
    """Names of a pack's 2N pictures: `lfw/000000_a`, `lfw/000000_b`, ...

    Args:
        stem: the pack's name without `.bin`.
        pairs_per_shard: pairs per sub-folder (`lfw/000/000000_a`); None for no sub-folders.
        endings: of each picture, with the dot; empty for none.
    """
    names = []
    for index in range(2 * num_pairs):
        pair, side = divmod(index, 2)
        shard = "" if pairs_per_shard is None else f"{pair // pairs_per_shard:03d}/"
        names.append(f"{stem}/{shard}{pair:06d}_{'ab'[side]}{endings[index] if endings else ''}")
    return names


def verification_pairs(photos: Sequence[str], is_same: Sequence[bool]) -> pd.DataFrame:
    """The pairs in insightface's ten folds: consecutive blocks, the first N mod 10 of them one pair larger.

    Args:
        photos: 2N names; 2i and 2i + 1 are pair i.
        is_same: N labels.
    Returns:
        Columns `tables.VERIFICATION_PAIRS`.
    Raises:
        DataSetError: there are fewer pairs than folds.
    Source: scikit-learn `KFold(n_splits=10, shuffle=False)` in insightface's verification.py.
    """
    if len(is_same) < NUM_FOLDS:
        raise DataSetError(f"{len(is_same)} pairs are too few for {NUM_FOLDS} folds. Add pairs.")
    small, num_larger = divmod(len(is_same), NUM_FOLDS)
    folds = [fold for fold in range(NUM_FOLDS) for _ in range(small + (fold < num_larger))]
    return pd.DataFrame(zip(photos[::2], photos[1::2], is_same, folds, strict=True), columns=list(VERIFICATION_PAIRS))


def _as_bool(label: object) -> object:
    """Convert numpy's booleans to Python's, so that reading the pack needs no numpy."""
    return bool(label) if type(label).__name__ in ("bool", "bool_") else label


def _checked(value: object, path: Path) -> BinPack:
    """The unpickled value as a pack.

    Raises:
        DataSetError: it is not (2N pictures, N booleans), or a picture is not a non-empty byte string.
    """
    if not (
        isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(part, tuple | list) for part in value)
    ):
        raise DataSetError(f"{path}: must be (list of pictures, list of booleans). Got {type(value).__name__} instead.")
    pictures, is_same = value
    for index, picture in enumerate(pictures):
        if type(picture) is not bytes or not picture:
            raise DataSetError(
                f"{path}: picture {index} must be bytes, not empty. Got {type(picture).__name__} instead."
            )
    for index, label in enumerate(is_same):
        if type(label) is not bool:
            raise DataSetError(f"{path}: label {index} must be True or False. Got {type(label).__name__} instead.")
    if not is_same or len(pictures) != 2 * len(is_same):
        raise DataSetError(f"{path}: {len(pictures)} pictures and {len(is_same)} labels; must be 2N and N, N > 0.")
    return BinPack(list(pictures), list(is_same))
