"""The packs' files mapped into memory, and names that lead nowhere outside a folder.

Knows no format.
"""

import mmap
import re
from pathlib import Path

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
