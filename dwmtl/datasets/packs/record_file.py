"""The records of a RecordIO file, `train.rec`, read and written.

A file is a sequence of records, each uint32 magic, uint32 (part flag << 29 | length), payload, zeros up to a multiple
of 4. A payload that holds the magic at a multiple of 4 is cut there: the parts carry the flags first, middle, last, and
the magic between them is omitted. The payload is `<IfQQ` (number of labels or 0, label, id, id2), the labels if their
number is not 0, and the encoded picture, which is never decoded here. Knows no index and no ranges.

Source: dmlc-core recordio.h and recordio.cc; mxnet recordio.py (`IRHeader`).
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from dwmtl.datasets.packs.files import map_file
from dwmtl.errors import DataSetError

MAGIC = struct.pack("<I", 0xCED7230A)
MAX_LENGTH = (1 << 29) - 1
"""Longest payload that the length field can express, in bytes."""

_PART = struct.Struct("<4sI")
_CONTENT = struct.Struct("<IfQQ")
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)

MIN_BYTES = _PART.size
"""Of a record, however short its payload."""


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


def records(path: Path) -> Iterator[Record]:
    """Every record of a `.rec` file in the file's order, including header and identity records; needs no index.

    Raises:
        DataSetError: a record is truncated or malformed; the message names file and byte.
    """
    view = memoryview(map_file(path))
    offset = 0
    while offset < len(view):
        record, end = record_at(view, offset, path)
        yield replace(record, picture=bytes(record.picture))
        offset = end


def record_at(view: memoryview, offset: int, path: Path) -> tuple[Record, int]:
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


def payload_of(identifier: int, labels: Sequence[float], picture: bytes = b"") -> bytes:
    """A record's payload: one label stands in its head, several behind it."""
    if len(labels) == 1:
        return _CONTENT.pack(0, labels[0], identifier, 0) + picture
    return _CONTENT.pack(len(labels), 0, identifier, 0) + struct.pack(f"<{len(labels)}f", *labels) + picture


def write_record(payload: bytes, file: BinaryIO) -> None:
    """Append a record to an open file; the payload has at most `MAX_LENGTH` bytes."""
    cuts = list(_aligned_magics(payload))
    for number, (start, end) in enumerate(zip([0, *(cut + 4 for cut in cuts)], [*cuts, len(payload)], strict=True)):
        flag = _WHOLE if not cuts else _FIRST if number == 0 else _LAST if number == len(cuts) else _MIDDLE
        file.write(_PART.pack(MAGIC, flag << 29 | end - start))
        file.write(payload[start:end])
    file.write(b"\0" * (-len(payload) % 4))


def _aligned_magics(payload: bytes) -> Iterator[int]:
    """Multiples of 4 at which the magic occurs, where a reader would take it for the start of a record."""
    place = payload.find(MAGIC)
    while place >= 0:
        if place % 4 == 0:
            yield place
        place = payload.find(MAGIC, place + 1)
