"""Paths of photos in a user's file: moved to where the photos are, and kept below the set's folder."""

import os
import unicodedata
from pathlib import Path, PurePosixPath

from dwmtl.errors import DataSetError


def moved_path(where: str, path: str, remap: tuple[str, str] | None) -> str:
    """The path with the old folder replaced by the new one, without `./`.

    Args:
        where: file and line, for the error.
        remap: old and new folder, either may be empty; None leaves the path unchanged.
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
        raise DataSetError(f"{where}: the photo {path[:80]!r} is not below {old!r}. Name a folder above it.")
    return below if not new else f"{new.rstrip('/')}/{below}"


def found_photo(where: str, folder: Path, photo: str) -> str:
    """A photo's path as on disk: without `./`, in the disk's Unicode form, without blanks around it that are not part
    of its name.

    Raises:
        DataSetError: the photo does not exist, or its path leaves the folder; the message starts with `where`, its file
            and line.
    """
    path = PurePosixPath(photo.strip())
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise DataSetError(
            f"{where}: {photo!r} is not a path below {folder} with forward slashes. Move the photo there."
        )
    forms = (*spellings(_plain(photo)), *spellings(_plain(photo.strip())))
    found = next((form for form in forms if os.path.isfile(folder / form)), None)
    if found is None:
        cure = "Write forward slashes" if "\\" in photo else "Complete the set, or remove the row"
        raise DataSetError(f"{where}: names {folder / photo}, which does not exist. {cure}.")
    return found


def folder_of_names(where: str, *names: str) -> str:
    """A folder below the set's, of names that a file gives: `S005/001`.

    Args:
        where: file and line, for the error.
    Raises:
        DataSetError: a name that leads out of the set's folder, or into another than a folder of that name.
    """
    for name in names:
        if name in ("", ".", "..") or "/" in name:
            raise DataSetError(f"{where}: {name[:80]!r} is not the name of a folder. Correct the line.")
    return "/".join(names)


def spellings(path: str) -> tuple[str, ...]:
    """A path in the Unicode forms that file systems use: unchanged, composed, decomposed (macOS)."""
    return (path, unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path))


def _plain(path: str) -> str:
    """Without `./` and repeated slashes; the empty path stays empty."""
    return str(PurePosixPath(path)) if path else ""
