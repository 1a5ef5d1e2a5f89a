"""RecordIO packs of faces as insightface distributes them: `train.rec`, `train.idx`, `property`.

`record_file` has the records of `train.rec`. `train.idx` has a line `key<TAB>offset` per record, `property` the single
line `identities,height,width`. Record 0 may be a header: no picture, and the labels (one past the last image key, one
past the last identity key). The identity records after the images then hold (first key, one past the last key) of each
identity's images.

Source: mxnet recordio.py; insightface face2rec2.py.
"""

import codecs
import re
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from dwmtl.datasets.packs.files import map_file
from dwmtl.datasets.packs.record_file import MIN_BYTES, Record, record_at
from dwmtl.errors import DataSetError

_INDEX_LINE = re.compile(rb"(\d{1,18})[\t ]+(\d{1,18})\s*")
_PROPERTY = re.compile(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*")


@dataclass(frozen=True)
class Property:
    """The line of `property`: number of identities, size of the pictures in pixels."""

    num_identities: int
    height_px: int
    width_px: int


class RecordPack:
    """The pictures of a pack by key, read from the mapped file: only the index is held in memory.

    Without `train.idx` the file is read once from start to end, and the records' ids are the keys.

    Attributes:
        keys: (N,) int64, ascending: the keys of the pictures. In a pack with a header, those in its identities' ranges.
        property: None where the pack has no file `property`.
    """

    def __init__(self, folder: Path) -> None:
        """Map the pack and read its index, header and ranges.

        Args:
            folder: holds `train.rec`; `train.idx` and `property` are optional.
        Raises:
            DataSetError: a file is missing or malformed, two keys have one record, or header and index contradict each
                other.
        """
        folder = Path(folder)
        self._path, index = folder / "train.rec", folder / "train.idx"
        self._view = memoryview(map_file(self._path))
        read = _read_index(index, len(self._view)) if index.exists() else _index_of_ids(self._view, self._path)
        self._all_keys, self._offsets = read
        self._starts = np.sort(self._offsets)
        self.property = _read_property(folder / "property")
        self._range_starts: np.ndarray | None = None
        self.keys = self._picture_keys()

    def __len__(self) -> int:
        return len(self.keys)

    def picture_bytes(self, key: int) -> bytes:
        """The encoded picture of a key.

        Raises:
            DataSetError: no picture has the key, or its record is malformed or empty.
        """
        record = self._picture_record(key)
        if not record.picture:
            raise DataSetError(
                f"{self._path}, byte {record.offset}: the record of key {key} holds no picture. Copy it again."
            )
        return bytes(record.picture)

    def num_bytes(self) -> int:
        """Of all pictures together; at most those of the file, as no two records share a byte.

        Raises:
            DataSetError: a record is malformed.
        """
        return sum(len(self._record(int(key)).picture) for key in self.keys)

    def identity_of(self, key: int) -> int:
        """The picture's first label. All pictures in a range of the header must have the same.

        Raises:
            DataSetError: no picture has the key, or its label is not a whole number or contradicts its range.
        """
        record = self._picture_record(key)
        identity = self._whole(record, 0, "identity")
        if self._range_starts is not None:
            first = int(self._range_starts[np.searchsorted(self._range_starts, key, side="right") - 1])
            of_range = identity if first == key else self._whole(self._record(first), 0, "identity")
            if of_range != identity:
                raise DataSetError(
                    f"{self._path}, byte {record.offset}: the picture of key {key} has identity {identity}, and "
                    f"its range has {of_range}. Copy the pack again."
                )
        return identity

    def _picture_keys(self) -> np.ndarray:
        if not len(self._all_keys) or self._all_keys[0] != 0:
            return self._all_keys
        header = self._record(0)
        if len(header.labels) != 2 or header.picture:
            return self._all_keys  # an ordinary picture with the key 0
        end_of_pictures = self._whole(header, 0, "one past the last image key")
        end_of_identities = self._whole(header, 1, "one past the last identity key")
        if end_of_identities <= end_of_pictures:
            return self._keys_between(1, end_of_pictures, header.offset)
        identity_keys = self._keys_between(end_of_pictures, end_of_identities, header.offset)
        return self._keys_of_ranges(sorted(self._range(int(key), end_of_pictures) for key in identity_keys))

    def _keys_of_ranges(self, ranges: list[tuple[int, int, int]]) -> np.ndarray:
        """The keys in ranges (first key, one past the last, byte of its record) sorted by first key."""
        for (_, end, _), (start, _, offset) in pairwise(ranges):
            if start < end:
                raise DataSetError(
                    f"{self._path}, byte {offset}: two identities share the key {start}. Copy the pack again."
                )
        self._range_starts = np.array([start for start, _, _ in ranges], dtype=np.int64)
        return np.concatenate([self._keys_between(*one) for one in ranges])

    def _range(self, key: int, end_of_pictures: int) -> tuple[int, int, int]:
        record = self._record(key)
        start, end = self._whole(record, 0, "first image key"), self._whole(record, 1, "one past the last image key")
        if not 1 <= start < end <= end_of_pictures:
            raise DataSetError(
                f"{self._path}, byte {record.offset}: identity record {key} has the range {start} to {end}, which is "
                f"empty or outside the header's image keys 1 to {end_of_pictures - 1}."
            )
        return start, end, record.offset

    def _keys_between(self, start: int, end: int, announced_at: int) -> np.ndarray:
        """The keys in [start, end), all of which must exist. Allocates by the index, not by the announced numbers."""
        first, last = np.searchsorted(self._all_keys, (start, end))
        if last - first != max(end - start, 0):
            raise DataSetError(
                f"{self._path}, byte {announced_at}: announces the keys {start} to {end - 1}; the index has "
                f"{last - first} of them. Copy the pack again."
            )
        return self._all_keys[first:last]

    def _picture_record(self, key: int) -> Record:
        place = np.searchsorted(self.keys, key)
        if place == len(self.keys) or self.keys[place] != key:
            raise DataSetError(f"{self._path}: no picture has the key {key}. Use one of `keys`.")
        return self._record(key)

    def _record(self, key: int) -> Record:
        offset = int(self._offsets[np.searchsorted(self._all_keys, key)])
        record, end = record_at(self._view, offset, self._path)
        following = np.searchsorted(self._starts, offset, side="right")
        if following < len(self._starts) and end > self._starts[following]:
            raise DataSetError(
                f"{self._path}, byte {offset}: the record ends at byte {end}, and by the index another one starts at "
                f"byte {self._starts[following]}. Copy the pack again."
            )
        return record

    def _whole(self, record: Record, place: int, meaning: str) -> int:
        value = float(record.labels[place]) if place < len(record.labels) else None
        if value is None or not (value.is_integer() and 0 <= value < 1 << 31):
            raise DataSetError(
                f"{self._path}, byte {record.offset}: label {place} ({meaning}) must be a whole number from 0. "
                f"Got {value} instead."
            )
        return int(value)


def _read_index(path: Path, num_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    """Keys, ascending, and offsets of `train.idx`, each (N,) int64."""
    keys, offsets = array("q"), array("q")
    with open(path, "rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(64), b""), start=1):
            match = _INDEX_LINE.fullmatch(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line)
            if not match:
                raise DataSetError(f"{path}, line {number}: must be `key<TAB>offset`. Got {line[:40]!r} instead.")
            offset = int(match[2])
            if offset > num_bytes - MIN_BYTES:
                raise DataSetError(f"{path}, line {number}: no record starts at byte {offset} of {num_bytes}.")
            keys.append(int(match[1]))
            offsets.append(offset)
    return _sorted_index(keys, offsets, lambda place: f"{path}, line {place + 1}")


def _index_of_ids(view: memoryview, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The same as `_read_index`, from the records' ids, for a pack without index."""
    keys, offsets = array("q"), array("q")
    offset = 0
    while offset < len(view):
        record, end = record_at(view, offset, path)
        if record.id >> 63:
            raise DataSetError(f"{path}, byte {offset}: the record's id {record.id} is not a key. Copy it again.")
        keys.append(record.id)
        offsets.append(offset)
        offset = end
    return _sorted_index(keys, offsets, lambda place: f"{path}, byte {offsets[place]} (there is no train.idx)")


def _sorted_index(keys: array, offsets: array, where: Callable[[int], str]) -> tuple[np.ndarray, np.ndarray]:
    """Both as (N,) int64, by ascending key; `where` names the place of an entry for the message on a repeated one."""
    all_keys = np.frombuffer(keys, dtype=np.int64) if keys else np.empty(0, dtype=np.int64)
    all_offsets = np.frombuffer(offsets, dtype=np.int64) if offsets else np.empty(0, dtype=np.int64)
    order = np.argsort(all_keys, kind="stable")
    ascending = all_keys[order]
    repeated = np.flatnonzero(ascending[1:] == ascending[:-1])
    if len(repeated):
        raise DataSetError(f"{where(int(order[repeated[0] + 1]))}: the key {ascending[repeated[0]]} appears twice.")
    by_offset = np.argsort(all_offsets, kind="stable")
    shared = np.flatnonzero(np.diff(all_offsets[by_offset]) == 0)
    if len(shared):
        first, second = (int(by_offset[shared[0] + step]) for step in (0, 1))
        raise DataSetError(
            f"{where(second)}: the keys {all_keys[first]} and {all_keys[second]} have one record, at byte "
            f"{all_offsets[second]}. Get the pack from its source."
        )
    return ascending, all_offsets[order]


def _read_property(path: Path) -> Property | None:
    if not path.exists():
        return None
    with open(path, "rb") as file:
        text = file.read(200).decode("utf-8-sig", errors="replace")
    match = _PROPERTY.fullmatch(text)
    if not match:
        raise DataSetError(f"{path}, line 1: must be `identities,height,width`. Got {text[:40]!r} instead.")
    return Property(*(int(field) for field in match.groups()))
