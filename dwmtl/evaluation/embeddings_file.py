"""A file of embeddings from any model, `E.npz`: read and checked whole, converted to unit length row by row.

Arrays: `names` (N,) such as `Aaron_Eckhart_0001`, `embeddings` (N, D) and, where needed, `embeddings_flipped` (N, D) of
the mirrored images. Knows nothing of pairs.
"""

import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dwmtl.errors import DataSetError

_CHUNK = 512
"""Images checked at a time, in float64."""

_NO_OVERFLOW = 1e100
"""The squares of numbers up to this one, and of their reciprocals, are far from the limits of float64."""

_MAX_TIMES_ITS_SIZE = 100
"""Most bytes of the arrays, as a multiple of the file's: np.savez_compressed makes embeddings little smaller, and the
padding of the names much."""

_SHOWN = 3
"""Names listed in a message; the others are counted."""


class NamedEmbeddings:
    """Unit embeddings of named images: `embeddings[rows]` is (n, D) float64, or (n, 2 D) with `concatenate`.

    The arrays keep the file's type, so that float32 takes no more memory than disk space. Indexing converts the rows,
    scales them to length 1, joins or adds the mirrored images' rows where `flip` requires it, and scales again.

    Attributes:
        names: names of the N images, in the file's order.
        rows: an image's name, composed (NFC) -> its row, the first one where the file has equal rows of one name.
    """

    def __init__(self, path: Path, names: list[str], embeddings: np.ndarray, flipped: np.ndarray | None, flip: str):
        self._sides = [embeddings] if flipped is None else [embeddings, flipped]
        self._flip = flip
        self._lengths = [_lengths(path, names, side) for side in self._sides]
        self.names = names
        self.rows = _rows_of(path, names, self._sides)
        if flip == "sum":
            self._require_sums(path, names)

    def __len__(self) -> int:
        return len(self._sides[0])

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        units = [
            side[rows] / lengths[rows, None]  # float64, as the lengths are
            for side, lengths in zip(self._sides, self._lengths, strict=True)
        ]
        if self._flip == "none":
            return units[0]
        both = np.concatenate(units, axis=1) if self._flip == "concatenate" else units[0] + units[1]
        return both / np.linalg.norm(both, axis=1, keepdims=True)

    def _require_sums(self, path: Path, names: list[str]) -> None:
        for part in _parts(len(self)):
            a, b = (side[part] / lengths[part, None] for side, lengths in zip(self._sides, self._lengths, strict=True))
            _refuse(path, names, part, ~(a + b).any(axis=1), "cancels its mirrored image's embedding: no sum to take")


def read_embeddings(path: Path, *, flip: str) -> NamedEmbeddings:
    """Read a file of embeddings.

    Args:
        flip: how the mirrored image's embedding is used: `none`: not read; `concatenate`; `sum`.
    Raises:
        DataSetError: the file is missing, damaged or unpacks to far more than its size, an array is missing or of
            another shape or type, an embedding is NaN, infinite or of length 0, or a name has two embeddings.
    """
    wanted = ["names", "embeddings"] if flip == "none" else ["names", "embeddings", "embeddings_flipped"]
    arrays = _load(path, wanted, flip)
    names, *sides = (arrays[name] for name in wanted)
    if names.ndim != 1 or names.dtype.kind != "U":
        raise DataSetError(f"{path}: names must be text, (N,). Got {_described(names)} instead.")
    for name, side in zip(wanted[1:], sides, strict=True):
        _require_matrix(path, name, side, len(names))
    if sides[-1].shape != sides[0].shape:
        raise DataSetError(
            f"{path}: embeddings_flipped must have the shape of embeddings. "
            f"Got {sides[-1].shape} and {sides[0].shape} instead."
        )
    return NamedEmbeddings(path, names.tolist(), sides[0], sides[1] if len(sides) > 1 else None, flip)


def _load(path: Path, wanted: list[str], flip: str) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file:  # np.load leaves a damaged file open
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise DataSetError(f"{path}: must be an .npz of named arrays, but holds a single one. Use np.savez.")
            missing = [name for name in wanted if name not in archive.files]
            if missing:
                why = f" (the mirrored images', for flip {flip})" if missing == ["embeddings_flipped"] else ""
                held = ", ".join(sorted(archive.files)) or "nothing"
                raise DataSetError(f"{path}: no array {', '.join(missing)}{why}. It holds {held}.")
            _require_proportion(path, archive)
            return {name: archive[name] for name in wanted}
    except FileNotFoundError:
        raise DataSetError(f"{path}: no such file. It must hold the arrays names and embeddings.") from None
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataSetError(f"{path}: not an .npz of numbers and text ({reason}). Write it with np.savez.") from None


def _require_proportion(path: Path, archive: np.lib.npyio.NpzFile) -> None:
    assert archive.zip is not None  # it is open
    num_bytes, size = sum(entry.file_size for entry in archive.zip.infolist()), path.stat().st_size
    if num_bytes > _MAX_TIMES_ITS_SIZE * size:
        raise DataSetError(
            f"{path}: {size} bytes that unpack to {num_bytes}, more than {_MAX_TIMES_ITS_SIZE} times as many. Write it "
            "with np.savez."
        )


def _described(array: np.ndarray) -> str:
    return f"{array.dtype} of shape {array.shape}"


def _require_matrix(path: Path, name: str, array: np.ndarray, num_names: int) -> None:
    if array.ndim != 2 or array.dtype.kind != "f" or array.shape[1] == 0:
        raise DataSetError(f"{path}: {name} must be floats, (N, D), D > 0. Got {_described(array)} instead.")
    if len(array) != num_names:
        raise DataSetError(
            f"{path}: {name} must have a row per name. Got {len(array)} rows and {num_names} names instead."
        )


def _parts(num_rows: int) -> Iterator[slice]:
    return (slice(start, start + _CHUNK) for start in range(0, num_rows, _CHUNK))


def _lengths(path: Path, names: list[str], side: np.ndarray) -> np.ndarray:
    """Euclidean lengths: (N,) float64. Checks every row, whether a pair names it or not."""
    lengths = np.empty(len(side))
    for part in _parts(len(side)):
        values = side[part].astype(np.float64)
        _refuse(path, names, part, np.any(~np.isfinite(values), axis=1), "holds NaN or infinity")
        largest = np.abs(values).max(axis=1)
        _refuse(path, names, part, largest == 0, "has length 0, and so no direction to compare")
        if largest.max() > _NO_OVERFLOW or largest.min() < 1 / _NO_OVERFLOW:
            lengths[part] = largest * np.linalg.norm(values / largest[:, None], axis=1)
        else:
            lengths[part] = np.linalg.norm(values, axis=1)
    return lengths


def _refuse(path: Path, names: list[str], part: slice, is_bad: np.ndarray, what: str) -> None:
    bad = part.start + np.flatnonzero(is_bad)
    if len(bad):
        listed = ", ".join(names[row] for row in bad[:_SHOWN]) + (", ..." if len(bad) > _SHOWN else "")
        raise DataSetError(f"{path}: the embedding of {listed} {what}. Embed the image again, or leave it out.")


def _rows_of(path: Path, names: list[str], sides: list[np.ndarray]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for row, name in enumerate(names):
        first = rows.setdefault(unicodedata.normalize("NFC", name), row)
        if first != row and not all(np.array_equal(side[first], side[row]) for side in sides):
            raise DataSetError(f"{path}: {name} has two different embeddings, in rows {first} and {row}. Keep one.")
    return rows
