"""A pickle of byte strings and booleans, read without running any code.

A pickle is a program, so it passes two checks: every opcode is checked before anything is loaded (only those that make
lists, tuples, booleans and byte strings are allowed, and no length may exceed the file), and the unpickler knows a
single callable, the one that Python 3 needs for bytes in protocols 0 to 2.
Source: opcodes as in pickletools.
"""

import mmap
import pickle
import pickletools
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

from dwmtl.errors import DataSetError

MAX_OPCODES = 2_000_000
"""Largest number of opcodes, enough for 250,000 pictures (2 to 8 each). Bounds the time and memory of any pickle."""

_ALLOWED = {
    "PROTO", "FRAME", "STOP",
    "MARK", "EMPTY_LIST", "LIST", "APPEND", "APPENDS", "TUPLE", "TUPLE2",
    "NEWTRUE", "NEWFALSE", "INT",  # protocols 0 and 1 write True as the INT 01
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",  # Python 3
    "STRING", "BINSTRING", "SHORT_BINSTRING",  # Python 2
    "GLOBAL", "REDUCE", "UNICODE", "BINUNICODE",  # Python 3 in protocols 0 to 2: _codecs.encode(text, "latin1")
    "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET",
}  # fmt: skip
_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}
_GLOBAL = ("_codecs", "encode")
_COUNTED = {
    pickletools.TAKEN_FROM_ARGUMENT1: struct.Struct("<B"),
    pickletools.TAKEN_FROM_ARGUMENT4: struct.Struct("<i"),
    pickletools.TAKEN_FROM_ARGUMENT4U: struct.Struct("<I"),
    pickletools.TAKEN_FROM_ARGUMENT8U: struct.Struct("<Q"),
}
_UNPICKLING = (
    pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError, TypeError, AttributeError, MemoryError,
    OverflowError, Warning,
)  # fmt: skip


def unpickled(data: mmap.mmap, path: Path) -> object:
    """The value of a pickle of any protocol, including Python 2's; `path` names the file in errors.

    Raises:
        DataSetError: it is not a pickle, or has an opcode or global that pictures do not need, or a length beyond the
            file.
    """
    _check_opcodes(data, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Python only warns about a bad escape in a string of protocol 0
            return _PictureUnpickler(data, num_bytes=len(data)).load()
    except _UNPICKLING as error:
        raise DataSetError(f"{path}, before byte {data.tell()}: not a whole pickle ({error}). Copy it again.") from None


class _PictureUnpickler(pickle.Unpickler):
    """An unpickler that knows one callable: `_codecs.encode`, replaced by a checked one."""

    def __init__(self, file: mmap.mmap, *, num_bytes: int) -> None:
        super().__init__(file, encoding="bytes")
        self._encode = _latin1_encoder(num_bytes)

    def find_class(self, module: str, name: str) -> Callable[[str, str], bytes]:
        if (module, name) != _GLOBAL:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no pack of pictures needs")
        return self._encode


def _latin1_encoder(max_bytes: int) -> Callable[[str, str], bytes]:
    """`_codecs.encode` for Latin-1 only; all calls together return at most `max_bytes`.

    A genuine pack encodes each of its strings once; a malicious one could encode one long string a million times.
    """
    num_remaining = max_bytes

    def encode(text: str, encoding: str) -> bytes:
        nonlocal num_remaining
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise pickle.UnpicklingError("it encodes something other than a picture")
        num_remaining -= len(text)
        if num_remaining < 0:
            raise pickle.UnpicklingError("it unpacks to more bytes than the file has")
        return text.encode("latin-1")

    return encode


def _check_opcodes(data: mmap.mmap, path: Path) -> None:
    """Check the opcodes without loading anything.

    Raises:
        DataSetError: an opcode that such a pack does not need, or with an argument out of bounds; the message names its
            byte.
    """
    offset = 0
    for number in range(MAX_OPCODES):
        opcode = _OPCODES.get(chr(data[offset]))
        where = f"{path}, byte {offset}"
        if opcode is None or opcode.name not in _ALLOWED:
            raise DataSetError(
                f"{where}: a pack of pictures does not need {opcode.name if opcode else data[offset]}, so it is not "
                f"loaded: a pickle can run anything. Get the pack from its source."
            )
        end = _argument_end(data, offset + 1, opcode, where)
        _check_argument(data[offset + 1 : min(end, offset + 60)], opcode.name, number, len(data) - end, where)
        if opcode.name == "STOP":
            if end != len(data):
                raise DataSetError(
                    f"{where}: the pickle ends here, and {len(data) - end} more bytes follow. Copy it again."
                )
            return
        if end >= len(data):
            raise DataSetError(f"{where}: truncated: the file ends inside the pickle. Copy it again.")
        offset = end
    raise DataSetError(
        f"{path}, byte {offset}: more than {MAX_OPCODES} opcodes; not a pack of pictures. Get it from its source."
    )


def _argument_end(data: mmap.mmap, start: int, opcode: pickletools.OpcodeInfo, where: str) -> int:
    """The byte after an opcode's argument; it may exceed the file's end by a few bytes, never by a counted length."""
    size = opcode.arg.n if opcode.arg else 0
    if size == pickletools.UP_TO_NEWLINE:
        for _ in range(2 if opcode.name == "GLOBAL" else 1):
            start = data.find(b"\n", start) + 1
            if not start:
                raise DataSetError(f"{where}: truncated: {opcode.name} has no end of line. Copy it again.")
        return start
    if size >= 0:
        return start + size
    head = _COUNTED[size]
    if start + head.size > len(data):
        raise DataSetError(f"{where}: truncated: the file ends inside {opcode.name}. Copy it again.")
    (length,) = head.unpack_from(data, start)
    num_left = len(data) - start - head.size
    if not 0 <= length <= num_left:
        raise DataSetError(
            f"{where}: {opcode.name} of {length} bytes, but the file has {num_left} more. Copy it again."
        )
    return start + head.size + length


def _check_argument(argument: bytes, name: str, num_before: int, num_left: int, where: str) -> None:
    """Refuse a global, a number that is not a boolean, and a memo or frame that would take too much memory.

    Args:
        argument: its first bytes.
        num_before: number of opcodes before it.
        num_left: number of bytes after it in the file.
    """
    if name == "GLOBAL" and argument != b"_codecs\nencode\n":
        raise DataSetError(
            f"{where}: names {argument!r}, which a pack of pictures does not need, so it is not loaded: a pickle "
            f"can run anything. Get the pack from its source."
        )
    if name == "INT" and argument not in (b"00\n", b"01\n"):
        raise DataSetError(f"{where}: {argument[:20]!r} is not a boolean. Copy it again.")
    if name == "FRAME" and int.from_bytes(argument, "little") > num_left:
        raise DataSetError(f"{where}: a frame longer than the file. Copy it again.")
    if name.endswith("PUT") and _memo_place(argument, name) > num_before:
        raise DataSetError(
            f"{where}: {name} {argument[:20]!r} is larger than the number of opcodes before it. Copy it again."
        )


def _memo_place(argument: bytes, name: str) -> int:
    """The place in the unpickler's memo, an array as large as the largest place; MAX_OPCODES where it is no number."""
    if name == "PUT":
        return int(argument) if argument[:-1].isdigit() and len(argument) <= 11 else MAX_OPCODES
    return int.from_bytes(argument, "little")
