"""Writes a RecordIO pack of faces that mxnet and insightface read; `record_pack` has the format of its files. Knows
nothing of what a picture holds."""

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from dwmtl.datasets.packs.record_file import MAX_LENGTH, payload_of, write_record
from dwmtl.errors import DataSetError
from dwmtl.files import whole_new_folder, write_bytes

MAX_WHOLE_LABEL = 1 << 24
"""Largest key or identity that a label (float32) holds exactly."""


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
        self._record(key, payload_of(key, [identity], picture))

    def pair(self, key: int, first: int, second: int) -> None:
        """A header or identity record: two labels and no picture."""
        self._record(key, payload_of(key, [first, second]))

    def _record(self, key: int, payload: bytes) -> None:
        if len(payload) > MAX_LENGTH:
            raise DataSetError(f"{self._folder}: picture {key} has more bytes than a record holds ({MAX_LENGTH}).")
        if key >= MAX_WHOLE_LABEL:
            raise DataSetError(
                f"{self._folder}: a pack's keys must be less than {MAX_WHOLE_LABEL}. Write several packs."
            )
        self._idx.write(b"%d\t%d\n" % (key, self._rec.tell()))
        write_record(payload, self._rec)


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
