"""Writing outputs where a user points: the one writer of files and folders. Knows nothing of what is written.

- A regular file is replaced whole or not at all, also by a power cut, with the mode that the umask gives.
- A link is followed: what it leads to is replaced, and the link stays.
- What is no regular file (a device, a pipe, this process' own output), or is in a folder without rights, is written
  through.
- An input is never an output, by whatever spelling or link (`require_output`).
- A folder is replaced whole; one that nothing can be renamed onto (a mount point, `.`) is filled once all is there.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from dwmtl.errors import DwmtlError

_NOT_REPLACEABLE = {errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS}
"""Of a rename onto a file that is a mount point, or in a folder without rights, which may yet be written to."""

PARTIAL, UNFINISHED = ".partial", ".unfinished"
"""Endings of what is being written, and of what a killed run left for the next one."""

_LOST_AND_FOUND = "lost+found"  # a mounted disk has it from the start


def write_json(value: object, path: Path) -> None:
    """Write JSON with sorted keys and a final newline; the same value gives the same bytes."""
    write_text(json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write text as UTF-8, its line ends as they are, making the file's folder."""
    write_bytes(text.encode(), path)


def write_bytes(data: bytes, path: Path) -> None:
    """Write a file, making its folder."""
    with whole_file(path) as file:
        file.write(data)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write into, making its folder; it becomes `path` when the block ends, and vanishes if it raises.

    Raises:
        OSError: with `path` as its file, whatever file of ours it was about.
    """
    found = _stat(path)
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if found is not None and (_own_output(found) is not None or not _is_replaceable(path, found)):
        with tempfile.TemporaryFile() as file:
            yield file
            _write_through(file, path, found)
        return
    target = Path(os.path.realpath(path))
    partial = partial_of(target)
    with _named(path, partial):
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)  # were it a link, opening it would write where it leads
        try:
            with open(partial, "x+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                _replace_file(file, partial, target, found)
        finally:
            partial.unlink(missing_ok=True)


def partial_of(path: Path) -> Path:
    """Where a file is while it is written; what a killed process left there is in nobody's way."""
    return path.with_name(f".{name_with_ending(path.name, PARTIAL, most_bytes=254)}")


def require_output(path: Path, *, inputs: Iterable[Path] = ()) -> None:
    """Check, before the work, that a file can be written and is none of the work's inputs.

    Args:
        inputs: not looked at where `path` is a new file.
    Raises:
        DwmtlError: it is one of them, by whatever spelling or link; or a folder. OSError: there are no rights.
    """
    path = Path(path)
    found = _stat(path)
    for given in inputs if found is not None else ():
        other = _stat(given)
        if found and other and stat.S_ISREG(other.st_mode) and os.path.samestat(found, other):
            raise DwmtlError(f"{path}: it is read ({given}), and would be written over. Name another file to write.")
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise DwmtlError(f"{path}: a folder. Name a file to write.")
    above = Path(os.path.realpath(path)).parents
    place = path if found is not None else next(folder for folder in above if folder.exists())
    if found is None and not place.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
    if not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def require_inputs(*paths: Path) -> None:
    """Check, before the work, that files and folders to be read are there. Opens none: a pipe keeps its bytes.

    Raises:
        DwmtlError: one is missing. OSError: there are no rights to read it, or no file can have the name.
    """
    for path in paths:
        if _stat(path) is None:
            raise DwmtlError(f"{path}: no such file or folder. Name one that is there.")
        if not os.access(path, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to write into; it becomes `folder` when the block ends, and vanishes if it raises.

    What `folder` held is gone then. A mount point, a link's folder or the working directory keeps its place: it is
    filled when the block ends, so that only a kill in that moment leaves it half filled.

    Raises:
        OSError: there are no rights, or a file stands in the way; before the block, where that can be known.
    """
    target = Path(os.path.realpath(folder))
    if _stat(target) is not None and not target.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    is_filled = stays_in_place(folder)
    partial = work_beside(folder, PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with _named(folder, partial):
            partial.mkdir(parents=True)
            yield partial
            _put_folder(partial, target, is_filled=is_filled)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def whole_new_folder(folder: Path) -> Iterator[Path]:
    """As `whole_folder`, for a folder of the user's: nothing is replaced.

    Raises:
        DwmtlError: it is there, and holds something.
    """
    require_free(folder)
    with whole_folder(folder) as partial:
        yield partial


def require_free(folder: Path) -> None:
    """Check, before the work, that a folder to be made is not there, or empty but for what a run of ours left.

    Raises:
        DwmtlError: it holds something, or is a file.
    """
    folder = Path(folder)
    ours = {PARTIAL, UNFINISHED, _LOST_AND_FOUND}
    if _stat(folder) is not None and not (folder.is_dir() and ours.issuperset(os.listdir(folder))):
        raise DwmtlError(f"{folder}: it is there already, and not empty. Name another folder, or remove it.")


def require_space(folder: Path, num_bytes: int) -> None:
    """Check, before the work, that a folder's disk has room for files to be written into it.

    Raises:
        DwmtlError: it has not.
    """
    target = Path(os.path.realpath(folder))
    free = shutil.disk_usage(next(above for above in (target, *target.parents) if above.exists())).free
    if num_bytes > free:
        raise DwmtlError(
            f"{folder}: {_size(num_bytes)} are to be written, and the disk has {_size(free)} free. Free some, or name "
            "a folder on another disk."
        )


def stays_in_place(folder: Path) -> bool:
    """Whether a folder is there and must not be replaced: a mount point, the working directory or one above it, what a
    link leads to, or in a folder that cannot be written to."""
    target = Path(os.path.realpath(folder))
    if not target.is_dir():
        return False
    is_used = Path(os.path.realpath(os.curdir)).is_relative_to(target)
    return is_used or Path(folder).is_symlink() or os.path.ismount(target) or not os.access(target.parent, os.W_OK)


def work_beside(folder: Path, ending: str) -> Path:
    """Where work on a folder is kept: beside it, or inside one that stays in its place; on the same disk as it."""
    target = Path(os.path.realpath(folder))
    if stays_in_place(folder):
        return target / ending
    return target.with_name(f".{name_with_ending(target.name, ending, most_bytes=254)}")


def name_with_ending(name: str, ending: str, *, most_bytes: int = 255) -> str:
    """A name with an ending; where a file system would not take it, a shorter one that is as distinct."""
    if len(os.fsencode(name + ending)) <= most_bytes:
        return name + ending
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    start = os.fsencode(name)[: most_bytes - len(os.fsencode(ending)) - 17]
    return f"{start.decode(errors='ignore')}-{digest}{ending}"


def _size(num_bytes: int) -> str:
    """In the largest unit of which it is one."""
    unit = next((power for power in (4, 3, 2, 1) if num_bytes >= 1000**power), 0)
    return f"{num_bytes / 1000**unit:.1f} {('bytes', 'kB', 'MB', 'GB', 'TB')[unit]}" if unit else f"{num_bytes} bytes"


def _stat(path: Path) -> os.stat_result | None:
    """Of what a path leads to; None where there is nothing, or a link leads to nothing."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _is_replaceable(path: Path, found: os.stat_result) -> bool:
    """Whether another file can be put in a file's place: it is a regular one, in a folder that can be written to."""
    return stat.S_ISREG(found.st_mode) and os.access(Path(os.path.realpath(path)).parent, os.W_OK)


def _own_output(found: os.stat_result) -> int | None:
    """The descriptor of this process' output or errors, if a file is that: it is open, and must not be replaced."""
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            if os.path.samestat(found, os.fstat(descriptor)):
                return descriptor
    return None


def _write_through(file: BinaryIO, path: Path, found: os.stat_result) -> None:
    """Copy a file into what is no regular file."""
    file.seek(0)
    own = _own_output(found)
    if own is not None:
        sys.stdout.flush()
    with _named(path), open(path if own is None else os.dup(own), "wb") as out:
        shutil.copyfileobj(file, out)


def _replace_file(file: BinaryIO, partial: Path, target: Path, found: os.stat_result | None) -> None:
    """Put a whole file in a target's place, or its bytes into a target that cannot be replaced."""
    try:
        os.replace(partial, target)
    except OSError as error:
        if found is None or error.errno not in _NOT_REPLACEABLE:
            raise
        file.seek(0)
        with open(target, "wb") as out:
            shutil.copyfileobj(file, out)


def _put_folder(partial: Path, target: Path, *, is_filled: bool) -> None:
    if not is_filled:
        shutil.rmtree(target, ignore_errors=True)
        try:
            os.replace(partial, target)
            return
        except OSError as error:
            if not target.is_dir() or error.errno not in _NOT_REPLACEABLE:
                raise
    for old in target.iterdir():
        if old.name not in (partial.name, _LOST_AND_FOUND):
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    for new in sorted(partial.iterdir()):
        shutil.move(new, target / new.name)


@contextlib.contextmanager
def _named(path: Path, ours: Path | None = None) -> Iterator[None]:
    """An OSError that names no file, or one of ours or below it, as one about the path that the user gave."""
    try:
        yield
    except OSError as error:
        name = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes | Path) else None
        below = name.relative_to(ours) if name and ours and name.is_relative_to(ours) else None
        if error.errno is None or (name not in (None, Path(path)) and below is None):
            raise
        named = path if below is None else Path(path) / below
        raise OSError(error.errno, error.strerror, str(named)) from None
