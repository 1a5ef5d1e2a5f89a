"""RecordIO packs of faces as insightface distributes them: `train.rec`, `train.idx`, `property`; read and written.

`train.rec` is a sequence of records, each uint32 magic, uint32 (part flag << 29 | length), payload, zeros up to a
multiple of 4. A payload that holds the magic at a multiple of 4 is cut there: the parts carry the flags first, middle,
last, and the magic between them is omitted. The payload is `<IfQQ` (number of labels or 0, label, id, id2), the labels
if their number is not 0, and the encoded picture, which is never decoded here. `train.idx` has a line
`key<TAB>offset` per record, `property` the single line `identities,height,width`.

Record 0 may be a header: no picture, and the labels (one past the last image key, one past the last identity key). The
identity records after the images then hold (first key, one past the last key) of each identity's images.

Source: dmlc-core recordio.h and recordio.cc; mxnet recordio.py (`IRHeader`); insightface face2rec2.py.
"""

import codecs
import re
import struct
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np

from dwmtl.datasets.packs.files import map_file
from dwmtl.errors import DataSetError
from dwmtl.files import whole_new_folder, write_bytes

MAGIC = struct.pack("<I", 0xCED7230A)
MAX_LENGTH = (1 << 29) - 1
"""Longest payload that the length field can express, in bytes."""

MAX_WHOLE_LABEL = 1 << 24
"""Largest key or identity that a label (float32) holds exactly."""

_PART = struct.Struct("<4sI")
_CONTENT = struct.Struct("<IfQQ")
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_INDEX_LINE = re.compile(rb"(\d{1,18})[\t ]+(\d{1,18})\s*")
_PROPERTY = re.compile(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*")


@dataclass(frozen=True, eq=False)
class Record:
    """A record of the file.

    Attributes:
        offset: byte where it starts.
        id: the number that the writer gave it; the key in all known packs.
        labels: (L,) float32; of a picture, the first is its identity.
        picture: the encoded picture; empty in header and identity records.
    """

    offset: int
    id: int
    labels: np.ndarray
    picture: bytes | memoryview


@dataclass(frozen=True)
class Property:
    """The line of `property`: number of identities, size of the pictures in pixels."""

    num_identities: int
    height_px: int
    width_px: int


def records(path: Path) -> Iterator[Record]:
    """Every record of a `.rec` file in the file's order, including header and identity records; needs no index.

    Raises:
        DataSetError: a record is truncated or malformed; the message names file and byte.
    """
    view = memoryview(map_file(path))
    offset = 0
    while offset < len(view):
        record, end = _record_at(view, offset, path)
        yield replace(record, picture=bytes(record.picture))
        offset = end


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
        record, end = _record_at(self._view, offset, self._path)
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


def _record_at(view: memoryview, offset: int, path: Path) -> tuple[Record, int]:
    """The record that starts at a byte, and the byte after it. Its picture is a view where the record was not cut."""
    payload, end = _payload_at(view, offset, path)
    if len(payload) < _CONTENT.size:
        raise DataSetError(f"{path}, byte {offset}: {len(payload)} bytes are too few for a record's labels and ids.")
    num_labels, label, identifier, _ = _CONTENT.unpack_from(payload)
    start = _CONTENT.size + 4 * num_labels
    if start > len(payload):
        raise DataSetError(
            f"{path}, byte {offset}: {num_labels} labels do not fit into a record of {len(payload)} bytes."
        )
    labels = np.frombuffer(payload, "<f4", num_labels, _CONTENT.size) if num_labels else np.array([label], "<f4")
    return Record(offset, identifier, labels, payload[start:]), end


def _payload_at(view: memoryview, offset: int, path: Path) -> tuple[memoryview, int]:
    """The payload of the record that starts at a byte, joined from its parts, and the byte after it."""
    flag, part, end = _part_at(view, offset, path)
    if flag == _WHOLE:
        return part, end
    if flag != _FIRST:
        raise DataSetError(
            f"{path}, byte {offset}: a record's later part (flag {flag}) without its first. Copy it again."
        )
    payload = bytearray(part)
    while flag != _LAST:
        start = end
        if start == len(view):
            raise DataSetError(
                f"{path}, byte {offset}: the file ends before the last part of this record. Copy it again."
            )
        flag, part, end = _part_at(view, start, path)
        if flag not in (_MIDDLE, _LAST):
            raise DataSetError(f"{path}, byte {start}: a record starts inside the one at byte {offset}. Copy it again.")
        payload += MAGIC
        payload += part
        if len(payload) > MAX_LENGTH:
            raise DataSetError(f"{path}, byte {offset}: the record's parts make more than {MAX_LENGTH} bytes.")
    return memoryview(payload).toreadonly(), end


def _part_at(view: memoryview, offset: int, path: Path) -> tuple[int, memoryview, int]:
    """Flag and bytes of the part that starts at a byte, and the byte after its padding."""
    num_left = len(view) - offset - _PART.size
    if num_left < 0:
        raise DataSetError(f"{path}, byte {offset}: truncated: a record's first 8 bytes do not fit. Copy it again.")
    magic, word = _PART.unpack_from(view, offset)
    flag, length = word >> 29, word & MAX_LENGTH
    if magic != MAGIC:
        raise DataSetError(f"{path}, byte {offset}: no record starts here (magic {magic.hex()}, not {MAGIC.hex()}).")
    if flag > _LAST:
        raise DataSetError(f"{path}, byte {offset}: a record's part flag must be 0 to 3. Got {flag} instead.")
    padded = length + -length % 4
    if padded > num_left:
        raise DataSetError(
            f"{path}, byte {offset}: truncated: a record of {length} bytes, {num_left} are left. Copy it again."
        )
    start = offset + _PART.size
    return flag, view[start : start + length], start + padded


def _read_index(path: Path, num_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    """Keys, ascending, and offsets of `train.idx`, each (N,) int64."""
    keys, offsets = array("q"), array("q")
    with open(path, "rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(64), b""), start=1):
            match = _INDEX_LINE.fullmatch(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line)
            if not match:
                raise DataSetError(f"{path}, line {number}: must be `key<TAB>offset`. Got {line[:40]!r} instead.")
            offset = int(match[2])
            if offset > num_bytes - _PART.size:
                raise DataSetError(f"{path}, line {number}: no record starts at byte {offset} of {num_bytes}.")
            keys.append(int(match[1]))
            offsets.append(offset)
    return _sorted_index(keys, offsets, lambda place: f"{path}, line {place + 1}")


def _index_of_ids(view: memoryview, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The same as `_read_index`, from the records' ids, for a pack without index."""
    keys, offsets = array("q"), array("q")
    offset = 0
    while offset < len(view):
        record, end = _record_at(view, offset, path)
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


def write_record_pack(
    folder: Path,
    items: Iterable[tuple[int, bytes]],
    *,
    height_px: int = 112,
    width_px: int = 112,
    has_header: bool = True,
) -> None:
    """Write a new pack that mxnet and insightface read, whole or not at all. The same items give the same bytes.

    With a header the keys of the pictures start at 1, without one at 0.

    Args:
        folder: must not exist, or be empty.
        items: (identity, encoded picture); with a header, the pictures of an identity must be consecutive.
        height_px, width_px: of the pictures, for `property`; nothing is decoded or scaled.
        has_header: write the header and the identities' ranges.
    Raises:
        DataSetError: the format cannot hold an item. DwmtlError: `folder` is in use.
    """
    with whole_new_folder(folder) as new:
        with open(new / "train.rec", "xb") as rec, open(new / "train.idx", "xb") as idx:
            writer = _Writer(folder, rec, idx)
            num_identities = _write_pictures(writer, items, has_header)
        write_bytes(b"%d,%d,%d\n" % (num_identities, height_px, width_px), new / "property")


class _Writer:
    """Appends records to an open `.rec` and `.idx`."""

    def __init__(self, folder: Path, rec: BinaryIO, idx: BinaryIO) -> None:
        self._folder, self._rec, self._idx = folder, rec, idx

    def picture(self, key: int, identity: int, picture: bytes) -> None:
        self._record(key, _CONTENT.pack(0, identity, key, 0) + picture)

    def pair(self, key: int, first: int, second: int) -> None:
        """A header or identity record: two labels and no picture."""
        self._record(key, _CONTENT.pack(2, 0, key, 0) + struct.pack("<2f", first, second))

    def _record(self, key: int, payload: bytes) -> None:
        if len(payload) > MAX_LENGTH:
            raise DataSetError(f"{self._folder}: picture {key} has more bytes than a record holds ({MAX_LENGTH}).")
        if key >= MAX_WHOLE_LABEL:
            raise DataSetError(
                f"{self._folder}: a pack's keys must be less than {MAX_WHOLE_LABEL}. Write several packs."
            )
        self._idx.write(b"%d\t%d\n" % (key, self._rec.tell()))
        cuts = list(_aligned_magics(payload))
        for number, (start, end) in enumerate(zip([0, *(cut + 4 for cut in cuts)], [*cuts, len(payload)], strict=True)):
            flag = _WHOLE if not cuts else _FIRST if number == 0 else _LAST if number == len(cuts) else _MIDDLE
            self._rec.write(_PART.pack(MAGIC, flag << 29 | end - start))
            self._rec.write(payload[start:end])
        self._rec.write(b"\0" * (-len(payload) % 4))


def _aligned_magics(payload: bytes) -> Iterator[int]:
    """Multiples of 4 at which the magic occurs, where a reader would take it for the start of a record."""
    place = payload.find(MAGIC)
    while place >= 0:
        if place % 4 == 0:
            yield place
        place = payload.find(MAGIC, place + 1)


def _write_pictures(writer: _Writer, items: Iterable[tuple[int, bytes]], has_header: bool) -> int:
    """Write the pictures, the header and the identity records; returns one past the largest identity."""
    key = int(has_header)
    starts: dict[int, int] = {}  # identity -> its first key
    last = None
    for identity, picture in items:
        _check_item(key, identity, picture)
        if has_header and identity != last and identity in starts:
            raise DataSetError(
                f"picture {key}: identity {identity} has earlier pictures, not next to this one. The pictures of an "
                f"identity must be consecutive in a pack with a header: sort them."
            )
        starts.setdefault(identity, key)
        last = identity
        writer.picture(key, identity, picture)
        key += 1
    if not starts:
        raise DataSetError("a pack must have a picture.")
    if has_header:
        writer.pair(0, key, key + len(starts))
        ends = [*list(starts.values())[1:], key]
        for number, (start, end) in enumerate(zip(starts.values(), ends, strict=True)):
            writer.pair(key + number, start, end)
    return max(starts) + 1


def _check_item(key: int, identity: int, picture: bytes) -> None:
    if not 0 <= identity <= MAX_WHOLE_LABEL or identity != int(identity):
        raise DataSetError(
            f"picture {key}: its identity must be a whole number in [0, {MAX_WHOLE_LABEL}]. Got {identity}."
        )
    if not isinstance(picture, bytes) or not picture:
        raise DataSetError(f"picture {key}: must be the bytes of an encoded picture. Got {type(picture).__name__}.")
