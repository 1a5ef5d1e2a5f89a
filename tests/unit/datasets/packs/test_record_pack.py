import runpy
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl.datasets.packs.record_file import MAGIC, records
from dwmtl.datasets.packs.record_pack import Property, RecordPack
from dwmtl.datasets.packs.record_pack_writer import write_record_pack
from dwmtl.errors import DataSetError

raw_record = runpy.run_path(str(Path(__file__).with_name("raw_record.py")))
part, content = raw_record["part"], raw_record["content"]
GOOD = part(content(b"good"))
FILES = ("train.rec", "train.idx", "property")

magics_and_bytes = st.lists(st.sampled_from([MAGIC, b"\0", b"ab", MAGIC[:3]]) | st.binary(max_size=9), min_size=1)
encoded = magics_and_bytes.map(b"".join).filter(len)
grouped = st.dictionaries(
    st.integers(0, 1 << 24), st.lists(encoded, min_size=1, max_size=4), min_size=1, max_size=5
).map(lambda people: [(identity, picture) for identity, pictures in people.items() for picture in pictures])


def make_pack(folder, payloads: dict[int, bytes], with_index: bool = True):
    """A pack of whole records, written without the code under test."""
    folder.mkdir(exist_ok=True)
    rec, lines = b"", []
    for key, payload in payloads.items():
        lines.append(f"{key}\t{len(rec)}\n")
        rec += part(payload)
    (folder / "train.rec").write_bytes(rec)
    if with_index:
        (folder / "train.idx").write_text("".join(lines))
    return folder


def insightface_pack(folder, header=(4, 6), ranges=((1, 3), (3, 4))):
    """Three pictures of two people as face2rec2.py writes them: two labels a picture, the header behind them."""
    payloads = {key: content(b"p%d" % key, key=key, labels=(label, 1)) for key, label in ((1, 7), (2, 7), (3, 9))}
    payloads[0] = content(b"", labels=header)
    for key, labels in enumerate(ranges, start=4):
        payloads[key] = content(b"", key=key, labels=labels)
    return make_pack(folder, payloads)


def items_of(pack: RecordPack) -> list[tuple[int, bytes]]:
    return [(pack.identity_of(key), pack.picture_bytes(key)) for key in map(int, pack.keys)]


def fresh(tmp_path_factory):
    return tmp_path_factory.mktemp("pack") / "new"


@given(items=grouped, has_header=st.booleans())
@settings(deadline=None)
def test_what_is_written_is_read_back_and_written_twice_the_same(tmp_path_factory, items, has_header):
    one, two = fresh(tmp_path_factory), fresh(tmp_path_factory)
    write_record_pack(one, items, has_header=has_header)
    assert items_of(RecordPack(one)) == items
    write_record_pack(two, items_of(RecordPack(one)), has_header=has_header)
    assert [(one / name).read_bytes() for name in FILES] == [(two / name).read_bytes() for name in FILES]


@given(items=grouped, has_header=st.booleans())
@settings(deadline=None)
def test_records_read_in_a_row_are_those_read_by_key(tmp_path_factory, items, has_header):
    folder = fresh(tmp_path_factory)
    write_record_pack(folder, items, has_header=has_header)
    assert [record.picture for record in records(folder / "train.rec") if record.picture] == [p for _, p in items]
    (folder / "train.idx").unlink()
    assert items_of(RecordPack(folder)) == items


def test_a_written_pack_has_the_layout_of_insightface(tmp_path):
    write_record_pack(tmp_path / "p", [(3, b"one"), (3, b"two"), (5, b"three")], height_px=96, width_px=80)
    found = {r.id: (r.labels.tolist(), r.picture) for r in records(tmp_path / "p" / "train.rec")}
    assert found == {
        1: ([3], b"one"), 2: ([3], b"two"), 3: ([5], b"three"),
        0: ([4, 6], b""), 4: ([1, 3], b""), 5: ([3, 4], b""),
    }  # fmt: skip
    assert (tmp_path / "p" / "property").read_text() == "6,96,80\n"
    assert RecordPack(tmp_path / "p").property == Property(num_identities=6, height_px=96, width_px=80)


def test_the_pictures_of_a_pack_with_header_are_those_in_its_ranges(tmp_path):
    pack = RecordPack(insightface_pack(tmp_path / "p"))
    assert pack.keys.tolist() == [1, 2, 3]
    assert items_of(pack) == [(7, b"p1"), (7, b"p2"), (9, b"p3")]
    assert len(pack) == 3
    assert pack.property is None


def test_a_picture_outside_every_range_is_left_out(tmp_path):
    pack = RecordPack(insightface_pack(tmp_path / "p", header=(4, 5), ranges=((2, 4),)))
    assert pack.keys.tolist() == [2, 3]
    with pytest.raises(DataSetError, match="no picture has the key 1"):
        pack.picture_bytes(1)


def test_a_header_without_identity_records_announces_the_pictures_alone(tmp_path):
    assert RecordPack(insightface_pack(tmp_path / "p", header=(4, 4), ranges=())).keys.tolist() == [1, 2, 3]


def test_a_picture_with_two_labels_at_key_0_is_no_header(tmp_path):
    pack = RecordPack(make_pack(tmp_path / "p", {0: content(b"a", labels=(5, 1)), 9: content(b"b", labels=(6, 1))}))
    assert items_of(pack) == [(5, b"a"), (6, b"b")]


def test_a_picture_that_contradicts_its_range_is_named(tmp_path):
    pack = RecordPack(insightface_pack(tmp_path / "p", ranges=((1, 2), (2, 4))))
    with pytest.raises(DataSetError, match=r"train\.rec, byte \d+: the picture of key 3 has identity 9.*has 7"):
        pack.identity_of(3)


@pytest.mark.parametrize(
    ("header", "ranges", "message"),
    [
        ((4, 6), ((1, 3), (2, 4)), "two identities share the key 2"),
        ((4, 6), ((1, 3), (3, 9)), "outside the header's image keys 1 to 3"),
        ((4, 6), ((1, 3), (3, 3)), "is empty or"),
        ((4, 9), ((1, 3), (3, 4)), "announces the keys 4 to 8; the index has 2"),
        ((4, 2.0**24), (), "announces the keys 4 to 16777215; the index has 0"),
        ((3.5, 6), (), r"label 0 \(one past the last image key\) must be a whole number from 0. Got 3.5"),
        ((float("nan"), 6), (), "Got nan"),
        ((4, float("inf")), (), "Got inf"),
        ((-4, 6), (), "Got -4"),
    ],
)
def test_a_header_that_does_not_fit_is_named_with_its_byte(tmp_path, header, ranges, message):
    with pytest.raises(DataSetError, match=r"train\.rec, byte \d+: .*" + message):
        RecordPack(insightface_pack(tmp_path / "p", header, ranges))


def test_labels_that_are_no_identities_are_refused_when_asked_for(tmp_path):
    pack = RecordPack(make_pack(tmp_path / "p", {0: content(b"a", label=0.5), 1: content(b"", label=1)}))
    with pytest.raises(DataSetError, match=r"byte 0: label 0 \(identity\) must be a whole number from 0. Got 0.5"):
        pack.identity_of(0)
    with pytest.raises(DataSetError, match="byte 36: the record of key 1 holds no picture"):
        pack.picture_bytes(1)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("0\t0\nx\t1\n", r"line 2: must be `key<TAB>offset`. Got b'x\\t1"),
        ("0\n", "line 1: must be"),
        ("-1\t0\n", "line 1: must be"),
        ("0\t0.5\n", "line 1: must be"),
        ("1" * 100 + "\t0\n", "line 1: must be"),
        ("1" * 100_000, "line 1: must be"),
        ("0\t0\n\n", "line 2: must be"),
        ("0\t0\n1\t36\n", "line 2: no record starts at byte 36 of 36"),
        ("0\t999999999999999999\n", "line 1: no record starts at byte 999999999999999999 of 36"),
        ("3\t0\n4\t0\n3\t0\n", "line 3: the key 3 appears twice"),
    ],
)
def test_a_malformed_index_is_named_with_its_line(tmp_path, index, message):
    (tmp_path / "train.rec").write_bytes(GOOD)
    (tmp_path / "train.idx").write_text(index)
    with pytest.raises(DataSetError, match=r"train\.idx, " + message):
        RecordPack(tmp_path)


def test_an_offset_into_the_middle_of_a_record_is_named(tmp_path):
    (tmp_path / "train.rec").write_bytes(GOOD)
    (tmp_path / "train.idx").write_text("0\t4\n")
    with pytest.raises(DataSetError, match=r"train\.rec, byte 4: no record starts here"):
        RecordPack(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "2,112\n", "a,112,112", "2,112,112,4", "-2,112,112", "2,112,112\nmore", "1" * 500]
)
def test_a_malformed_property_is_named(tmp_path, text):
    (tmp_path / "train.rec").write_bytes(GOOD)
    (tmp_path / "property").write_text(text)
    with pytest.raises(DataSetError, match=r"property, line 1: must be `identities,height,width`"):
        RecordPack(tmp_path)


def test_a_pack_without_index_whose_ids_repeat_is_refused(tmp_path):
    folder = make_pack(tmp_path / "p", {0: content(), 1: content()}, with_index=False)
    with pytest.raises(DataSetError, match=r"byte 40 \(there is no train\.idx\): the key 0 appears twice"):
        RecordPack(folder)


def test_a_missing_pack_is_named(tmp_path):
    with pytest.raises(DataSetError, match=r"train\.rec: no such file"):
        RecordPack(tmp_path)


def fuzzed(rng: np.random.Generator, data: bytes, case: int) -> bytes:
    """Random byte flips for even cases, a truncation for odd ones."""
    if case % 2:
        return data[: rng.integers(len(data))]
    mutable = bytearray(data)
    for place in rng.integers(len(data), size=rng.integers(1, 6)):
        mutable[place] = rng.integers(256)
    return bytes(mutable)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("has_header", [True, False])
def test_a_damaged_pack_is_read_or_refused_and_takes_little_memory(tmp_path, name, has_header):
    rng = np.random.default_rng(0)
    items = [(identity, rng.bytes(30) + MAGIC * 2) for identity in (0, 0, 1, 2, 2)]
    write_record_pack(tmp_path / "p", items, has_header=has_header)
    good = (tmp_path / "p" / name).read_bytes()
    refused = []
    tracemalloc.start()
    try:
        for case in range(400):
            (tmp_path / "p" / name).write_bytes(fuzzed(rng, good, case))
            try:
                items_of(RecordPack(tmp_path / "p"))
                list(records(tmp_path / "p" / "train.rec"))
            except DataSetError as error:
                refused.append(str(error))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert 0 < len(refused) < 400
    assert all(str(tmp_path) in message for message in refused)


def test_the_real_pack_is_read_by_key_and_in_a_row_and_written_again(testdata, tmp_path):
    folder = testdata / "real" / "recordio"
    if not folder.is_dir():
        pytest.skip(f"{folder}: no such folder")
    pack = RecordPack(folder)
    assert pack.keys.tolist() == list(range(8))
    assert [pack.identity_of(key) for key in range(8)] == [0, 0, 0, 0, 1, 1, 1, 1]  # woman or man: it has no others
    in_a_row = list(records(folder / "train.rec"))
    assert [record.id for record in in_a_row] == [0, 4, 7, 5, 1, 6, 3, 2]
    for record in in_a_row:
        assert record.picture == pack.picture_bytes(record.id)
        assert record.picture.startswith(b"\xff\xd8\xff")
        assert record.picture.endswith(b"\xff\xd9")
    write_record_pack(tmp_path / "p", items_of(pack), has_header=False)
    assert items_of(RecordPack(tmp_path / "p")) == items_of(pack)


def test_an_index_with_a_byte_order_mark_and_blanks_at_line_ends_is_read(tmp_path):
    write_record_pack(tmp_path, [(7, b"a"), (8, b"b")])
    for name in ("train.idx", "property"):
        lines = (tmp_path / name).read_bytes().splitlines()
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + b" \r\n".join(lines) + b" \r\n")
    pack = RecordPack(tmp_path)
    assert [pack.picture_bytes(int(key)) for key in pack.keys] == [b"a", b"b"]
    assert pack.property == Property(9, 112, 112)
