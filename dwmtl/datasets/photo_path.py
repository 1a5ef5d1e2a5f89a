"""Paths of photos in somebody's file: moved to where the photos are here, and kept below the set's folder."""

import unicodedata
from pathlib import Path, PurePosixPath

from dwmtl.errors import DataSetError


def moved_path(where: str, path: str, remap: tuple[str, str] | None) -> str:
    """The path below the new folder in place of the old one, without `./` in it.

    Args:
        where: file and line, for the error.
        remap: old and new folder, either may be empty; None leaves the path as it is.
    Raises:
        DataSetError: the path is not below the old folder.
    """
    path = _plain(path)
    if remap is None:
        return path
    old, new = map(_plain, remap)
    above = "" if not old else old.rstrip("/") + "/"
    below = path.removeprefix(above)
    if not path.startswith(above) or below.startswith("/") or not below or ".." in path.split("/"):
        raise DataSetError(f"{where}: the photo {path[:80]!r} is not below {old!r}. Give the folder that it is below.")
    return below if not new else f"{new.rstrip('/')}/{below}"


def found_photo(where: str, folder: Path, photo: str) -> str:
    """A photo's path as the set's folder has it: without `./`, in the disk's form of Unicode, and without blanks at its
    ends that are not the name's.

    Raises:
        DataSetError: naming `where`, file and line: it is not there, or the path leaves the folder.
    """
    path = PurePosixPath(photo.strip())
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise DataSetError(f"{where}: {photo!r} is no path below {folder} with forward slashes. Move the photo there.")
    forms = (*spellings(_plain(photo)), *spellings(_plain(photo.strip())))
    found = next((form for form in forms if (folder / form).is_file()), None)
    if found is None:
        cure = "Write forward slashes" if "\\" in photo else "Complete the set or remove the row"
        raise DataSetError(f"{where}: names {folder / photo}, which is not there. {cure}.")
    return found


def spellings(path: str) -> tuple[str, ...]:
    """A path in the forms of Unicode that file systems keep: as it is, composed, decomposed (macOS)."""
    return (path, unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path))


def _plain(path: str) -> str:
    """Without `./`, and slashes that stand twice; the empty path stays empty."""
    return str(PurePosixPath(path)) if path else ""
