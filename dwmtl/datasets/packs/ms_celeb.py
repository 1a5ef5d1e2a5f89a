"""MS-Celeb-1M as Microsoft distributed it: tab-separated lines with pictures in base64; and clean lists.

Aligned and cropped faces have 7 columns (Freebase MID, search rank, image URL, page URL, face id, face rectangle, face
data), whole images 6 (MID, name, search rank, image URL, page URL, image data). A picture's id is its path in
clean lists: `<MID>/<rank>-<face id>` (`m.015t56/56-FaceId-0`), or `<MID>/<rank>` where there is no face id.

Source: the set's page, kept in vardhman1996/msceleb.github.io; openface data/ms-celeb-1m/extract.py; the lists of
Light CNN (`m.015t56/56-FaceId-0.jpg 0`) and C-MS-Celeb (the same columns exchanged).
"""

import base64
import binascii
import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from sys import intern

from dwmtl.datasets.packs.files import path_name
from dwmtl.errors import DataSetError

MAX_LINE_BYTES = 32 * 2**20
"""Longest line that is read: a picture of 24 MB. A file without line ends cannot fill the memory."""

_RANK = re.compile(rb"\d{1,9}")
_FACE_ID = re.compile(rb"FaceId-\d{1,9}")
_PICTURE_ENDING = re.compile(r"\.(jpg|jpeg|png)$", re.IGNORECASE)


def pictures(tsv_path: Path, clean_list_path: Path | None = None) -> Iterator[tuple[str, str, bytes]]:
    """The pictures of a TSV, one at a time, as (identity, image id, encoded picture).

    Args:
        clean_list_path: lines `<image id> <identity>` or in reverse order, with or without `.jpg`. Pictures that the
            list does not name are skipped, and its identities replace the entity ids.
    Raises:
        DataSetError: a line is too long, or has too few columns, no rank, bad base64 or a name that cannot be a
            folder's; the message names the line. At the end: a picture of the clean list is missing.
    """
    tsv_path = Path(tsv_path)
    wanted = None if clean_list_path is None else read_clean_list(clean_list_path)
    for number, line in _lines(tsv_path):
        where = f"{tsv_path}, line {number}"
        entity, image_id, data = _columns(line, where)
        if wanted is not None:
            if image_id not in wanted:
                continue
            listed, wanted[image_id] = wanted[image_id], None
            if listed is None:
                raise DataSetError(f"{where}: {image_id} appears twice. Remove one of the lines.")
            entity = listed
        yield entity, image_id, _picture(data, where)
    missing = [name for name, identity in (wanted or {}).items() if identity is not None]
    if missing:
        raise DataSetError(
            f"{tsv_path}: lacks {len(missing)} pictures that {clean_list_path} names, the first {missing[0]}. Complete "
            f"the file, or remove them from the list."
        )


def most_picture_bytes(tsv_path: Path) -> int:
    """Bytes of a TSV's pictures at most: base64 has four for three of them, and nearly all of the file is pictures."""
    try:
        return Path(tsv_path).stat().st_size * 3 // 4
    except OSError as error:
        raise DataSetError(f"{tsv_path}: cannot be read ({error.strerror}).") from None


def read_clean_list(path: Path) -> dict[str, str | None]:
    """The identity of each picture of a clean list, by image id.

    Raises:
        DataSetError: a line without two columns, an unsafe name, or a picture with two identities; the message names
            the line.
    """
    path = Path(path)
    identities: dict[str, str | None] = {}
    for number, line in _lines(path):
        where = f"{path}, line {number}"
        name, identity = _listed(line, where)
        if identities.setdefault(name, intern(identity)) != identity:
            raise DataSetError(
                f"{where}: {name} has the identity {identities[name]} in an earlier line, {identity} here. Remove one."
            )
    return identities


def _listed(line: bytes, where: str) -> tuple[str, str]:
    """Image id and identity of a clean list's line; the image id is the one with the slash."""
    fields = _text(line, where).split()
    if len(fields) == 2 and "/" not in fields[0]:
        fields.reverse()
    if len(fields) != 2 or fields[0].count("/") != 1:
        raise DataSetError(f"{where}: must be `<entity>/<picture> <identity>`. Got {line[:80]!r} instead.")
    parts = _PICTURE_ENDING.sub("", fields[0]).split("/")
    return "/".join(path_name(part, where) for part in parts), path_name(fields[1], where)


def _columns(line: bytes, where: str) -> tuple[str, str, bytes]:
    """Entity id, image id and picture data of a TSV's line."""
    entity, *between = line.split(b"\t")
    if len(between) < 2:
        raise DataSetError(
            f"{where}: {len(between) + 1} columns, separated by tabs; must be entity id, rank, ..., image data."
        )
    data = between.pop()
    ranks = [column for column in between if _RANK.fullmatch(column)]
    if not ranks:
        raise DataSetError(f"{where}: no column is a search rank, a whole number.")
    face_ids = [column for column in between if _FACE_ID.fullmatch(column)]
    rank = ranks[-1]  # the last: whole images have a name before it, and a name can be a number
    name = path_name(_text(entity, where), where)
    return name, f"{name}/{b'-'.join([rank, *face_ids[:1]]).decode()}", data


def _picture(data: bytes, where: str) -> bytes:
    try:
        picture = base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise DataSetError(f"{where}: the image data is not base64 ({error}).") from None
    if not picture:
        raise DataSetError(f"{where}: the image data is empty.")
    return picture


def _text(field: bytes, where: str) -> str:
    try:
        return field.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataSetError(f"{where}: not text ({error}).") from None


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers from 1; without blanks at their ends and a byte-order mark."""
    try:
        file = open(path, "rb")  # noqa: SIM115 (closed below; only an error of opening is caught)
    except OSError as error:
        raise DataSetError(f"{path}: cannot be read ({error.strerror}).") from None
    with file:
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES + 1), b""), start=1):
            if len(line) > MAX_LINE_BYTES:
                raise DataSetError(f"{path}, line {number}: longer than {MAX_LINE_BYTES} bytes.")
            if line := (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).rstrip(b" \r\n"):
                yield number, line
