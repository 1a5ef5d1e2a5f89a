"""The packs' files mapped into memory, and names that lead nowhere outside a folder.

Knows no format.
"""

import mmap
import re
from pathlib import Path

from dwmtl.errors import DataSetError

_PATH_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def map_file(path: Path) -> mmap.mmap:
    """The file's bytes, mapped read-only: they are read from disk where they are looked at.

    Raises:
        DataSetError: the file is missing, empty or not to be read.
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
    """The name, if it can be one file or folder below another and nothing else.

    Raises:
        DataSetError: it is empty, long, hidden, or holds a separator or anything but letters, digits and `_.-`.
    """
    if not _PATH_NAME.fullmatch(name):
        raise DataSetError(
            f"{where}: {name[:80]!r} is no name for a folder or file: letters, digits and `_.-` only, at most 100, "
            f"no dot or dash in front."
        )
    return name
