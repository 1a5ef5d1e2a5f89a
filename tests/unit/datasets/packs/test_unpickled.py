"""Pickles that would run something, take memory or are none: refused as packs, with the byte, and nothing is run."""

import builtins
import importlib
import io
import os
import pickle
import struct
import subprocess
import tracemalloc

import numpy as np
import pytest

from dwmtl.datasets.packs import unpickled
from dwmtl.datasets.packs.bin_pack import read_bin_pack
from dwmtl.errors import DataSetError


class Runs:
    def __init__(self, function, *arguments):
        self._call = (function, arguments)

    def __reduce__(self):
        return self._call


ATTACKS = {
    "os.system": (os.system, "touch {}"),
    "subprocess": (subprocess.check_call, ["touch", "{}"]),
    "eval": (builtins.eval, "open('{}', 'w')"),
    "exec": (builtins.exec, "open('{}', 'w')"),
    "open": (builtins.open, "{}", "w"),
    "import": (importlib.import_module, "antigravity"),
    "getattr": (builtins.getattr, os, "system"),
    "numpy": (np.frombuffer, b"12345678"),
}


def attack(name: str, victim) -> object:
    function, *arguments = ATTACKS[name]
    if name == "getattr":
        return Runs(function, Runs(importlib.import_module, "os"), "system")
    return Runs(function, *(a.format(victim) if isinstance(a, str) else a for a in arguments))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ATTACKS)
def test_a_pickle_that_would_run_something_is_refused_and_runs_nothing(tmp_path, name, protocol):
    victim = tmp_path / "was_run"
    (tmp_path / "x.bin").write_bytes(pickle.dumps(([attack(name, victim), b"b"], [True]), protocol))
    with pytest.raises(DataSetError, match=r"x\.bin, byte \d+: .*does not need.*can run anything"):
        read_bin_pack(tmp_path / "x.bin")
    assert not victim.exists()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ATTACKS)
def test_the_unpickler_alone_would_refuse_it_too(tmp_path, name, protocol):
    victim = tmp_path / "was_run"
    data = pickle.dumps(([attack(name, victim), b"b"], [True]), protocol)
    with pytest.raises(pickle.UnpicklingError, match="which no pack of pictures needs"):
        unpickled._PictureUnpickler(io.BytesIO(data), num_bytes=len(data)).load()
    assert not victim.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(S'true'\ntR.",  # GLOBAL and REDUCE
        b"(S'true'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'true'\no.",  # OBJ
        b"\x80\x02c__builtin__\neval\nU\x011\x85R.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",  # STACK_GLOBAL
        b"\x80\x02\x82\x01.",  # EXT1: the extension registry
        b"Pid\n.",  # PERSID
        b"c_codecs\nencode\n}b.",  # BUILD onto the one callable
        b"c_codecs\ndecode\n(V00\nVhex\ntR.",
        b"c_codecs \nencode\n.",
        b"\x80\x02c_codecs\nencode\n)\x81.",  # NEWOBJ
    ],
)
def test_no_opcode_that_calls_or_builds_is_loaded(tmp_path, data):
    (tmp_path / "x.bin").write_bytes(data)
    with pytest.raises(DataSetError, match=r"x\.bin, byte \d+: .*does not need"):
        read_bin_pack(tmp_path / "x.bin")


@pytest.mark.parametrize("encoding", ["rot13", "zlib", "utf-16", "unicode_escape"])
def test_the_one_callable_encodes_latin_1_alone(tmp_path, encoding):
    (tmp_path / "x.bin").write_bytes(b"c_codecs\nencode\n(Vabc\nV%s\ntR." % encoding.encode())
    with pytest.raises(DataSetError, match="not a whole pickle"):
        read_bin_pack(tmp_path / "x.bin")


def test_a_character_that_is_no_byte_is_refused(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"c_codecs\nencode\n(V\\u20ac\nVlatin1\ntR.")
    with pytest.raises(DataSetError, match="not a whole pickle"):
        read_bin_pack(tmp_path / "x.bin")


def bomb_of_strings() -> bytes:
    """A string of 1 MB, encoded 10,000 times: 10 GB from 1.1 MB."""
    text = (
        b"\x80\x02c_codecs\nencode\nq\x00X" + struct.pack("<I", 2**20) + b"a" * 2**20 + b"q\x01X\x06\0\0\0latin1q\x02"
    )
    return text + b"](" + b"h\x00h\x01h\x02\x86R" * 10_000 + b"e."


BOMBS = {
    "binbytes": b"\x80\x03B\xff\xff\xff\x7fabc.",
    "binbytes8": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"abc.",
    "binstring": b"\x80\x02T\xff\xff\xff\x7fabc.",
    "negative binstring": b"\x80\x02T\xff\xff\xff\xffabc.",
    "binunicode": b"\x80\x02X\xff\xff\xff\x7fabc.",
    "short": b"\x80\x03C\xffabc.",
    "frame": b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"].",
    "long_binput": b"\x80\x02]r\xff\xff\xff\x7f.",
    "put": b"(lp2147483647\n.",
    "long put": b"(lp" + b"9" * 10_000 + b"\n.",
    "int": b"I" + b"9" * 10_000 + b"\n.",
    "bytearray": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"abc.",
    "strings": bomb_of_strings(),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_pickle_that_claims_memory_is_refused_before_it_gets_it(tmp_path, name):
    (tmp_path / "x.bin").write_bytes(BOMBS[name])
    tracemalloc.start()
    try:
        with pytest.raises(DataSetError, match=r"x\.bin, (before )?byte \d+: "):
            read_bin_pack(tmp_path / "x.bin")
        assert tracemalloc.get_traced_memory()[1] < 2**19 + 12 * len(BOMBS[name])
    finally:
        tracemalloc.stop()


def test_a_pickle_of_endless_opcodes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unpickled, "MAX_OPCODES", 1000)
    (tmp_path / "x.bin").write_bytes(b"]" * 5000 + b".")
    with pytest.raises(DataSetError, match="byte 1000: more than 1000 opcodes"):
        read_bin_pack(tmp_path / "x.bin")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"\x80\x04]", "byte 2: truncated"),
        (b"\x80", "byte 0: truncated"),
        (b"\x80\x03B\x01", "byte 2: truncated: the file ends inside BINBYTES"),
        (b"S'abc", "byte 0: truncated: STRING has no end of line"),
        (b"S'abc\n.", "not a whole pickle"),
        (b"S'\\z'\n.", "not a whole pickle"),
        (b"\xfe", "byte 0: a pack of pictures does not need 254"),
        (b"\x80\x09N.", "byte 2: a pack of pictures does not need NONE"),
        (b"\x80\x09].", "not a whole pickle"),
        (b"\x80\x02h\x07.", "not a whole pickle"),
        (b"\x80\x02.", "not a whole pickle"),
        (b"\x80\x02].rest", "byte 3: the pickle ends here, and 4 more bytes follow"),
        (b"I2\n.", "byte 0: b'2.*' is not a boolean"),
    ],
)
def test_what_is_no_pickle_is_named_with_its_byte(tmp_path, data, message):
    (tmp_path / "x.bin").write_bytes(data)
    with pytest.raises(DataSetError, match=r"x\.bin.*" + message):
        read_bin_pack(tmp_path / "x.bin")
