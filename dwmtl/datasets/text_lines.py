"""Reading a data set's text files line by line."""

from collections.abc import Iterator
from pathlib import Path

from dwmtl.errors import DataSetError


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that hold anything, without blanks at their ends, with their numbers from 1.

    They are read as they are asked for; a byte-order mark is passed over.

    Raises:
        DataSetError: the file is missing, no text, or cannot be read; when the first line is asked for.
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
