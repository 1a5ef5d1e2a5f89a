"""Opening and writing the packs' files: mapped into memory, whole or not at all, never outside a folder.

Knows no format.
"""

import contextlib
import mmap
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dwmtl.errors import DataSetError

_PATH_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def map_file(path: Path) -> mmap.mmap:
    """The file's bytes, mapped read-only: they are read from disk on access.

    Raises:
        DataSetError: the file is missing, empty or unreadable.
    """
    try:
        with open(path, "rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise DataSetError(f"{path}: no such file.") from None
    except ValueError:
        raise DataSetError(f"{path}: the file is empty. Copy it again.") from None
    except OSError as error:
        raise DataSetError(f"{path}: cannot be read ({error}).") from None


def path_name(name: str, where: str) -> str:
    """The name, if it is safe for a file or folder below another.

    Raises:
        DataSetError: it is empty, too long, hidden, or holds anything but letters, digits and `_.-`.
    """
    if not _PATH_NAME.fullmatch(name):
        raise DataSetError(
            f"{where}: {name[:80]!r} is not a safe name for a folder or file: at most 100 letters, digits and `_.-`, "
            f"no dot or dash in front. Rename it."
        )
    return name


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write into; it becomes `path` when the block ends, and vanishes if it raises."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)  # were it a link, opening it would write where it leads
    try:
        with open(partial, "xb") as file:
            yield file
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def whole_new_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to write into; it becomes `folder` when the block ends, and vanishes if it raises.

    Unlike `stage.whole_folder` it replaces nothing: the folder is a user's, not a stage's.

    Raises:
        DataSetError: `folder` exists already and is not an empty folder.
    """
    folder = Path(os.path.abspath(folder))
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))):
        raise DataSetError(f"{folder}: exists already and is not an empty folder. Remove it, or choose another.")
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
    except FileExistsError:
        raise DataSetError(f"{partial}: is in the way of the folder to be written. Remove it.") from None
    try:
        yield partial
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
