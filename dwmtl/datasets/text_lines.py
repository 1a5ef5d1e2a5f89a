"""Reading a data set's text files line by line."""

from collections.abc import Iterator
from pathlib import Path

from dwmtl.errors import DataSetError


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file that are not blank, stripped, with their numbers from 1; skip a byte-order mark.

    Raises:
        DataSetError: the file is missing, is not text, or cannot be read; raised at the first line.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from ((number, text) for number, line in enumerate(file, start=1) if (text := line.strip()))
    except FileNotFoundError:
        raise DataSetError(f"{path}: no such file. The set's folder must hold it.") from None
    except UnicodeDecodeError as error:
        raise DataSetError(f"{path}: not a text file ({error}). Save it as UTF-8.") from None
    except OSError as error:
        raise DataSetError(f"{path}: cannot be read ({error.strerror}).") from None
