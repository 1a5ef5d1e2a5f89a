"""Packs extracted into folders of pictures, for tools that need files: completely or not at all, below one folder.

What is written is never out of proportion to what is read, and is known before, so that a full disk is told at once.

The pictures are copied unchanged, never decoded; their first bytes decide the files' endings.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from dwmtl.datasets.packs import ms_celeb
from dwmtl.datasets.packs.bin_pack import photo_names, read_bin_pack, verification_pairs
from dwmtl.datasets.packs.files import path_name
from dwmtl.datasets.packs.record_pack import RecordPack
from dwmtl.errors import DataSetError
from dwmtl.files import require_free, require_space, whole_new_folder
from dwmtl.tables import VERIFICATION_PAIRS, write_table

MAX_FILES_PER_FOLDER = 1000

_ENDINGS = {b"\xff\xd8\xff": ".jpg", b"\x89PNG\r\n\x1a\n": ".png", b"BM": ".bmp"}


def extract_record_pack(pack_folder: Path, folder: Path) -> int:
    """Extract a RecordIO pack: `<identity>/<key>.jpg`, and `photos.csv`. Returns the number of pictures.

    Raises:
        DataSetError: the pack is malformed, or a picture is of no known kind.
        DwmtlError: `folder` is in use, or on a disk without room.
    """
    require_free(folder)
    pack = RecordPack(pack_folder)
    require_space(folder, pack.num_bytes())
    items = ((f"{pack.identity_of(key):07d}", f"{key:09d}", pack.picture_bytes(key)) for key in map(int, pack.keys))
    return extract_pictures(items, folder, source=str(pack_folder))


def extract_ms_celeb(tsv_path: Path, folder: Path, clean_list_path: Path | None = None) -> int:
    """Extract an MS-Celeb TSV: `<identity>/<MID>-<rank>-<face id>.jpg`, and `photos.csv`.

    Returns the number of pictures.

    Raises:
        DataSetError: the TSV or the list is malformed, two pictures have one name, or a picture is of no known kind.
        DwmtlError: `folder` is in use, or on a disk without room.
    """
    require_free(folder)
    if clean_list_path is None:
        require_space(folder, ms_celeb.most_picture_bytes(tsv_path))
    items = (  # a clean list may merge two entities into one identity, so the name keeps the entity
        (identity, image_id.replace("/", "-"), picture)
        for identity, image_id, picture in ms_celeb.pictures(tsv_path, clean_list_path)
    )
    return extract_pictures(items, folder, source=str(tsv_path))


def extract_bin_pack(path: Path, folder: Path) -> int:
    """Extract a `.bin` pack: `<stem>/000/000000_a.jpg` and `pairs.csv`, columns `tables.VERIFICATION_PAIRS`.

    Returns the number of pictures.

    Raises:
        DataSetError: the pack is malformed, has fewer than 10 pairs, or a picture is of no known kind.
        DwmtlError: `folder` is in use, or on a disk without room.
    """
    path = Path(path)
    stem = path_name(path.stem, str(path))
    require_free(folder)
    pack = read_bin_pack(path)
    require_space(folder, pack.num_bytes)
    endings = [picture_ending(picture, f"{path}, picture {index}") for index, picture in enumerate(pack.pictures)]
    photos = photo_names(stem, len(pack.is_same), pairs_per_shard=MAX_FILES_PER_FOLDER // 2, endings=endings)
    with whole_new_folder(folder) as new:
        write_table(verification_pairs(photos, pack.is_same), new / "pairs.csv", VERIFICATION_PAIRS)
        for photo, picture in zip(photos, pack.pictures, strict=True):
            _write_new(new / photo, picture, f"{path}, picture {photo}")
    return len(photos)


def extract_pictures(items: Iterable[tuple[str, str, bytes]], folder: Path, *, source: str) -> int:
    """Write (identity, name, picture) as `<identity>/<name>.jpg`, and `photos.csv` with the columns photo, subject.

    A person's pictures beyond MAX_FILES_PER_FOLDER go into `<identity>/001`, `<identity>/002`, ...; `photos.csv` holds
    them all. One picture is held in memory at a time.

    Returns:
        The number of pictures.
    Raises:
        DataSetError: a name is unsafe or repeated, a picture is of no known kind, or there is no picture.
        DwmtlError: `folder` is in use.
    """
    num_of: Counter[str] = Counter()
    with whole_new_folder(folder) as new, open(new / "photos.csv", "x", newline="") as table:
        table.write("photo,subject\n")
        for identity, name, picture in items:
            where = f"{source}, picture {identity}/{name}"
            photo = _photo(identity, name, picture, num_of[identity] // MAX_FILES_PER_FOLDER, where)
            num_of[identity] += 1
            _write_new(new / photo, picture, where)
            table.write(f"{photo},{identity}\n")
        if not num_of:
            raise DataSetError(f"{source}: holds no pictures. Copy it again.")
    return num_of.total()


def picture_ending(picture: bytes, where: str) -> str:
    """`.jpg`, `.png` or `.bmp`, by the picture's first bytes.

    Raises:
        DataSetError: it is none of them.
    """
    for magic, ending in _ENDINGS.items():
        if picture.startswith(magic):
            return ending
    raise DataSetError(f"{where}: neither JPEG, PNG nor BMP; it starts with {picture[:8].hex()}. Copy it again.")


def _photo(identity: str, name: str, picture: bytes, shard: int, where: str) -> str:
    """The picture's path below the folder."""
    parts = [path_name(identity, where), path_name(name, where) + picture_ending(picture, where)]
    return "/".join(parts if shard == 0 else [parts[0], f"{shard:03d}", parts[1]])


def _write_new(path: Path, picture: bytes, where: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "xb") as file:
            file.write(picture)
    except (FileExistsError, NotADirectoryError):
        raise DataSetError(f"{where}: two pictures have this name. Remove one of them.") from None
