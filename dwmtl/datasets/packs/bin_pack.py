"""insightface's verification packs (`lfw.bin`, `cfp_fp.bin`, `agedb_30.bin`, ...): read without running any code.

A pack is a pickle of (list of 2N encoded pictures, list of N booleans); pictures 2i and 2i + 1 are pair i. The old ones
were written by Python 2. A pickle is a program, so it passes two checks: every opcode is checked before anything is
loaded (only those that make lists, tuples, booleans and byte strings are allowed, and no length may exceed the file),
and the unpickler knows a single callable, the one that Python 3 needs for bytes in protocols 0 to 2.

Source: insightface lfw2pack.py writes them, `load_bin` of verification.py reads them; opcodes as in pickletools.
"""

import mmap
import pickle
import pickletools
import struct
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dwmtl.datasets.packs.files import map_file
from dwmtl.errors import DataSetError
from dwmtl.files import whole_file
from dwmtl.tables import VERIFICATION_PAIRS, is_one_line

NUM_FOLDS = 10
MAX_OPCODES = 2_000_000
"""Largest number of opcodes, enough for 250,000 pictures (2 to 8 each). Bounds the time and memory of any pickle."""

MAX_TIMES_ITS_SIZE = 10
"""Most bytes of all pictures together, as a multiple of the file's. A picture of several pairs may be in the file once,
named again by the pickle's memo: LFW's 12,000 places hold 7,701 pictures."""

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


@dataclass(frozen=True)
class BinPack:
    """A verification pack: 2N encoded pictures, of which 2i and 2i + 1 are pair i, and N labels."""

    pictures: list[bytes]
    is_same: list[bool]

    @property
    def num_bytes(self) -> int:
        """Of all pictures together; one that is named twice counts twice."""
        return sum(map(len, self.pictures))


def find_bin_pack(folder: Path) -> Path:
    """The only `.bin` file of a folder, apart from hidden ones.

    Raises:
        DataSetError: there is none or several, or a table cannot hold its name.
    """
    paths = [path for path in sorted(folder.glob("*.bin")) if path.is_file() and not path.name.startswith(".")]
    if len(paths) != 1:
        raise DataSetError(f"{folder}: {len(paths)} files end in .bin; exactly one pack must be in the folder.")
    if not is_one_line(paths[0].name):
        raise DataSetError(f"{folder}: the name {paths[0].name!r} is not UTF-8 text on one line. Rename the file.")
    return paths[0]


def read_bin_pack(path: Path) -> BinPack:
    """Read a `.bin` pack of any pickle protocol, including Python 2's. Code in it cannot run.

    Raises:
        DataSetError: the file is not a pickle, has an opcode or global that such a pack does not need or a length
            beyond the file, does not hold 2N pictures and N booleans, or names its pictures so often that they take
            more than MAX_TIMES_ITS_SIZE times its size.
    """
    path = Path(path)
    data = map_file(path)
    _check_opcodes(data, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Python only warns about a bad escape in a string of protocol 0
            value = _PictureUnpickler(data, num_bytes=len(data)).load()
    except _UNPICKLING as error:
        raise DataSetError(f"{path}, before byte {data.tell()}: not a whole pickle ({error}). Copy it again.") from None
    pack = _checked(value, path)
    if pack.num_bytes > MAX_TIMES_ITS_SIZE * len(data):
        raise DataSetError(
            f"{path}: {len(data)} bytes that name pictures of {pack.num_bytes}, the same ones many times; more than "
            f"{MAX_TIMES_ITS_SIZE} times the file. Get the pack from its source."
        )
    return pack


def write_bin_pack(path: Path, pictures: Sequence[bytes], is_same: Sequence[bool]) -> None:
    """Write a pack that insightface reads, whole or not at all. The same pictures give the same bytes.

    Args:
        pictures: 2N encoded pictures; 2i and 2i + 1 are pair i.
        is_same: N labels.
    Raises:
        DataSetError: not 2N pictures and N booleans.
    """
    pack = _checked((list(pictures), [_as_bool(label) for label in is_same]), Path(path))
    with whole_file(path) as file:
        pickler = pickle.Pickler(file, protocol=4)  # 4: the last that insightface's Python versions read
        pickler.fast = True  # no memo: the bytes depend on the pictures, not on which of them are one object
        pickler.dump((pack.pictures, pack.is_same))


def photo_names(
    stem: str, num_pairs: int, *, pairs_per_shard: int | None = None, endings: Sequence[str] = ()
) -> list[str]:
    """Names of a pack's 2N pictures: `lfw/000000_a`, `lfw/000000_b`, ...

    Args:
        stem: the pack's name without `.bin`.
        pairs_per_shard: pairs per sub-folder (`lfw/000/000000_a`); None for no sub-folders.
        endings: of each picture, with the dot; empty for none.
    """
    names = []
    for index in range(2 * num_pairs):
        pair, side = divmod(index, 2)
        shard = "" if pairs_per_shard is None else f"{pair // pairs_per_shard:03d}/"
        names.append(f"{stem}/{shard}{pair:06d}_{'ab'[side]}{endings[index] if endings else ''}")
    return names


def verification_pairs(photos: Sequence[str], is_same: Sequence[bool]) -> pd.DataFrame:
    """The pairs in insightface's ten folds: consecutive blocks, the first N mod 10 of them one pair larger.

    Args:
        photos: 2N names; 2i and 2i + 1 are pair i.
        is_same: N labels.
    Returns:
        Columns `tables.VERIFICATION_PAIRS`.
    Raises:
        DataSetError: there are fewer pairs than folds.
    Source: scikit-learn `KFold(n_splits=10, shuffle=False)` in insightface's verification.py.
    """
    if len(is_same) < NUM_FOLDS:
        raise DataSetError(f"{len(is_same)} pairs are too few for {NUM_FOLDS} folds. Add pairs.")
    small, num_larger = divmod(len(is_same), NUM_FOLDS)
    folds = [fold for fold in range(NUM_FOLDS) for _ in range(small + (fold < num_larger))]
    return pd.DataFrame(zip(photos[::2], photos[1::2], is_same, folds, strict=True), columns=list(VERIFICATION_PAIRS))


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


def _as_bool(label: object) -> object:
    """Convert numpy's booleans to Python's, so that reading the pack needs no numpy."""
    return bool(label) if type(label).__name__ in ("bool", "bool_") else label


def _checked(value: object, path: Path) -> BinPack:
    """The unpickled value as a pack.

    Raises:
        DataSetError: it is not (2N pictures, N booleans), or a picture is not a non-empty byte string.
    """
    if not (
        isinstance(value, tuple | list) and len(value) == 2 and all(isinstance(part, tuple | list) for part in value)
    ):
        raise DataSetError(f"{path}: must be (list of pictures, list of booleans). Got {type(value).__name__} instead.")
    pictures, is_same = value
    for index, picture in enumerate(pictures):
        if type(picture) is not bytes or not picture:
            raise DataSetError(
                f"{path}: picture {index} must be bytes, not empty. Got {type(picture).__name__} instead."
            )
    for index, label in enumerate(is_same):
        if type(label) is not bool:
            raise DataSetError(f"{path}: label {index} must be True or False. Got {type(label).__name__} instead.")
    if not is_same or len(pictures) != 2 * len(is_same):
        raise DataSetError(f"{path}: {len(pictures)} pictures and {len(is_same)} labels; must be 2N and N, N > 0.")
    return BinPack(list(pictures), list(is_same))
