"""The bytes of a record, written without the code under test."""

import struct

from dwmtl.datasets.packs.record_file import MAGIC


def part(payload: bytes, flag: int = 0) -> bytes:
    return MAGIC + struct.pack("<I", flag << 29 | len(payload)) + payload + b"\0" * (-len(payload) % 4)


def content(picture: bytes = b"picture", label: float = 0, key: int = 0, labels: tuple[float, ...] = ()) -> bytes:
    return struct.pack("<IfQQ", len(labels), label, key, 0) + struct.pack(f"<{len(labels)}f", *labels) + picture
