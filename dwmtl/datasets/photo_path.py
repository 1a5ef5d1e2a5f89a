"""Paths of photos in a user's file: moved to where the photos are, and kept below the set's folder."""

from pathlib import Path, PurePosixPath

from dwmtl.errors import DataSetError


def moved_path(where: str, path: str, remap: tuple[str, str] | None) -> str:
    """The path with the old folder replaced by the new one.

    Args:
        where: file and line, for the error.
        remap: old and new folder, either may be empty; None leaves the path unchanged.
    Raises:
        DataSetError: the path is not below the old folder.
    """
    if remap is None:
        return path
    old, new = remap
    above = "" if not old else old.rstrip("/") + "/"
    below = path.removeprefix(above)
    if not path.startswith(above) or below.startswith("/") or not below or ".." in path.split("/"):
        raise DataSetError(f"{where}: the photo {path[:80]!r} is not below {old!r}. Name a folder above it.")
    return below if not new else f"{new.rstrip('/')}/{below}"


def check_photo(where: str, folder: Path, photo: str) -> None:
    """Refuse a photo that does not exist, or a path out of the set's folder.

    Raises:
        DataSetError: such a photo; the message starts with `where`, its file and line.
    """
    path = PurePosixPath(photo)
    if path.is_absolute() or ".." in path.parts or "\\" in photo or str(path) != photo:
        raise DataSetError(
            f"{where}: {photo!r} is not a path below {folder} with forward slashes. Move the photo there."
        )
    if not (folder / photo).is_file():
        raise DataSetError(
            f"{where}: names {folder / photo}, which does not exist. Complete the set, or remove the row."
        )
