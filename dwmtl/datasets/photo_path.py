"""Paths of photos in somebody's file: moved to where the photos are here, and kept below the set's folder."""

from pathlib import Path, PurePosixPath

from dwmtl.errors import DataSetError


def moved_path(where: str, path: str, remap: tuple[str, str] | None) -> str:
    """The path below the new folder in place of the old one.

    Args:
        where: file and line, for the error.
        remap: old and new folder, either may be empty; None leaves the path as it is.
    Raises:
        DataSetError: the path is not below the old folder.
    """
    if remap is None:
        return path
    old, new = remap
    above = "" if not old else old.rstrip("/") + "/"
    below = path.removeprefix(above)
    if not path.startswith(above) or below.startswith("/") or not below or ".." in path.split("/"):
        raise DataSetError(f"{where}: the photo {path[:80]!r} is not below {old!r}. Give the folder that it is below.")
    return below if not new else f"{new.rstrip('/')}/{below}"


def check_photo(where: str, folder: Path, photo: str) -> None:
    """Refuse a photo that is not there, or a path that leaves the set's folder.

    Raises:
        DataSetError: naming `where`, file and line.
    """
    path = PurePosixPath(photo)
    if path.is_absolute() or ".." in path.parts or "\\" in photo or str(path) != photo:
        raise DataSetError(f"{where}: {photo!r} is no path below {folder} with forward slashes. Move the photo there.")
    if not (folder / photo).is_file():
        raise DataSetError(f"{where}: names {folder / photo}, which is not there. Complete the set or remove the row.")
