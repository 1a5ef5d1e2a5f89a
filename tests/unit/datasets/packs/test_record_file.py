import runpy
import struct
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwmtl.datasets.packs.record_file import MAGIC, payload_of, records, write_record
from dwmtl.errors import DataSetError

raw_record = runpy.run_path(str(Path(__file__).with_name("raw_record.py")))
part, content = raw_record["part"], raw_record["content"]

magics_and_bytes = st.lists(st.sampled_from([MAGIC, b"\0", b"ab", MAGIC[:3]]) | st.binary(max_size=9), min_size=1)


def written(picture: bytes) -> bytes:
    """A file with one record, of identity and key 0."""
    file = BytesIO()
    write_record(payload_of(0, [0], picture), file)
    return file.getvalue()


@given(picture=magics_and_bytes.map(b"".join))
def test_no_written_part_holds_the_magic_where_a_record_could_start(picture):
    rec = written(picture)
    starts, offset = [], 0
    while offset < len(rec):
        starts.append(offset)
        length = struct.unpack_from("<I", rec, offset + 4)[0] & (1 << 29) - 1
        offset += 8 + length + -length % 4
    assert [place for place in range(0, len(rec), 4) if rec[place : place + 4] == MAGIC] == starts


def test_an_aligned_magic_is_cut_out_as_dmlc_does_and_another_is_not():
    expected = part(content(b"abcd"), 1) + part(b"", 2) + part(b"efg", 3)
    assert written(b"abcd" + MAGIC + MAGIC + b"efg") == expected
    assert written(b"ab" + MAGIC + b"cd") == part(content(b"ab" + MAGIC + b"cd"))


@pytest.mark.parametrize("labels", [(7.0,), (7.0, 1.0), (1.0, 2.0, 3.0)])
def test_a_single_label_stands_in_the_head_and_several_behind_it(labels):
    in_head, behind = (labels[0], ()) if len(labels) == 1 else (0.0, labels)
    assert payload_of(5, labels, b"picture") == content(label=in_head, key=5, labels=behind)


GOOD = part(content(b"good"))


@pytest.mark.parametrize(
    ("rec", "message"),
    [
        (GOOD + MAGIC, "byte 36: truncated: a record's first 8 bytes"),
        (GOOD + b"abcdefgh", "byte 36: no record starts here"),
        (GOOD[:-1], "byte 0: truncated: a record of 28 bytes, 27 are left"),
        (GOOD + MAGIC + b"\xff\xff\xff\x1f", "byte 36: truncated: a record of 536870911 bytes, 0 are left"),
        (GOOD + part(b"x", 7), "byte 36: a record's part flag must be 0 to 3. Got 7"),
        (GOOD + part(b"x", 2), r"byte 36: a record's later part \(flag 2\)"),
        (GOOD + part(b"x", 3), r"byte 36: a record's later part \(flag 3\)"),
        (GOOD + part(b"x", 1), "byte 36: the file ends before the last part"),
        (part(b"x", 1) + part(b"x", 2), "byte 0: the file ends before the last part"),
        (part(b"x", 1) + GOOD, "byte 12: a record starts inside the one at byte 0"),
        (part(b"x", 1) + part(b"x", 1), "byte 12: a record starts inside the one"),
        (GOOD + part(b"x" * 23), "byte 36: 23 bytes are too few"),
        (part(struct.pack("<IfQQ", 1 << 31, 0, 0, 0)), "byte 0: 2147483648 labels do not fit"),
        (b"", "the file is empty"),
    ],
)
def test_a_malformed_record_is_named_with_its_byte(tmp_path, rec, message):
    (tmp_path / "train.rec").write_bytes(rec)
    with pytest.raises(DataSetError, match=r"train\.rec.*" + message):
        list(records(tmp_path / "train.rec"))
