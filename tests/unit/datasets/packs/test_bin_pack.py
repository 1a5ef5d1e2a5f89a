import pickle
import pickletools
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl.datasets.packs.bin_pack import BinPack, photo_names, read_bin_pack, verification_pairs, write_bin_pack
from dwmtl.errors import DataSetError
from dwmtl.tables import VERIFICATION_PAIRS

PICTURES = [b"\xff\xd8\xff\xe0 one", b"two'\n\\\"\x00\xfe", b"3" * 300, b"\x89PNG\r\n\x1a\n four"]
IS_SAME = [True, False]
pairs = st.lists(st.tuples(st.binary(min_size=1), st.binary(min_size=1), st.booleans()), min_size=1)


def python_2_pack(pictures: list[bytes], is_same: list[bool]) -> bytes:
    """What Python 2's pickle.dump((pictures, is_same), protocol=2) writes; there is no Python 2 here to ask."""

    def string(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<i", len(value)) + value

    out = b"\x80\x02]q\x01("
    for place, picture in enumerate(pictures, start=2):
        out += string(picture) + (b"q" + bytes([place]) if place < 256 else b"r" + struct.pack("<I", place))
    return out + b"e]q\x00(" + b"".join(b"\x88" if answer else b"\x89" for answer in is_same) + b"e\x86q\x01."


def python_2_text_pack(pictures: list[bytes], is_same: list[bool]) -> bytes:
    """The same in protocol 0, Python 2's default."""
    strings = b"".join(b"S%s\np%d\na" % (repr(picture)[1:].encode(), 3 + i) for i, picture in enumerate(pictures))
    answers = b"".join(b"I01\na" if answer else b"I00\na" for answer in is_same)
    return b"((lp1\n" + strings + b"(lp2\n" + answers + b"tp0\n."


def packed(value: object, path, protocol: int = 4):
    path.write_bytes(pickle.dumps(value, protocol))
    return path


@given(pairs=pairs)
@settings(deadline=None)
def test_what_is_written_is_read_back_and_written_twice_the_same(tmp_path_factory, pairs):
    one, two = (tmp_path_factory.mktemp("bin") / "lfw.bin" for _ in range(2))
    pictures = [picture for a, b, _ in pairs for picture in (a, b)]
    is_same = [answer for _, _, answer in pairs]
    write_bin_pack(one, pictures, is_same)
    assert read_bin_pack(one) == BinPack(pictures, is_same)
    write_bin_pack(two, [bytes(bytearray(picture)) for picture in pictures], is_same)
    assert one.read_bytes() == two.read_bytes()


def test_the_bytes_do_not_depend_on_which_pictures_are_one_object(tmp_path):
    picture = b"one picture"
    write_bin_pack(tmp_path / "a.bin", [picture, picture], [True])
    write_bin_pack(tmp_path / "b.bin", [picture, bytes(bytearray(picture))], [True])
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()


def test_insightface_reads_what_is_written(tmp_path):
    write_bin_pack(tmp_path / "x.bin", PICTURES, IS_SAME)
    with open(tmp_path / "x.bin", "rb") as file:
        bins, issame_list = pickle.load(file, encoding="bytes")  # its load_bin
    assert (bins, issame_list) == (PICTURES, IS_SAME)
    assert max(op.proto for op, _, _ in pickletools.genops((tmp_path / "x.bin").read_bytes())) <= 4


@pytest.mark.parametrize("protocol", range(6))
def test_a_pack_of_every_protocol_of_python_3_is_read(tmp_path, protocol):
    repeated = [*PICTURES, PICTURES[0], PICTURES[0]]
    assert read_bin_pack(packed((repeated, [True, False, True]), tmp_path / "x.bin", protocol)).pictures == repeated


@pytest.mark.parametrize("write", [python_2_pack, python_2_text_pack])
def test_a_pack_that_python_2_wrote_is_read(tmp_path, write):
    (tmp_path / "x.bin").write_bytes(write(PICTURES * 100, IS_SAME * 100))
    assert read_bin_pack(tmp_path / "x.bin") == BinPack(PICTURES * 100, IS_SAME * 100)


def test_numpy_answers_are_written_as_booleans(tmp_path):
    write_bin_pack(tmp_path / "x.bin", PICTURES, np.array(IS_SAME))
    assert read_bin_pack(tmp_path / "x.bin").is_same == IS_SAME


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "Got list instead"),
        (PICTURES, "must be .list of pictures, list of booleans"),
        ([PICTURES, IS_SAME, []], "must be .list of pictures"),
        ((PICTURES, True), "must be .list of pictures"),
        (([], []), "0 pictures and 0 labels"),
        ((PICTURES[:3], IS_SAME), "3 pictures and 2 labels; must be 2N and N"),
        ((PICTURES, [True]), "4 pictures and 1 labels"),
        (([*PICTURES[:3], b""], IS_SAME), "picture 3 must be bytes, not empty"),
        (([*PICTURES[:3], True], IS_SAME), "picture 3 must be bytes, not empty. Got bool"),
        ((PICTURES, [True, b"x"]), "label 1 must be True or False. Got bytes"),
    ],
)
def test_what_is_no_pack_is_told(tmp_path, value, message):
    with pytest.raises(DataSetError, match=r"x\.bin: .*" + message):
        read_bin_pack(packed(value, tmp_path / "x.bin"))


@pytest.mark.parametrize(
    ("pictures", "is_same"), [([b"a"], [True]), ([b"a", b"b"], [1]), ([b"a", "b"], [True]), ([], [])]
)
def test_what_a_pack_cannot_hold_is_refused_and_nothing_is_left(tmp_path, pictures, is_same):
    with pytest.raises(DataSetError, match=r"x\.bin: "):
        write_bin_pack(tmp_path / "x.bin", pictures, is_same)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["python 2", "python 2 text", 0, 2, 4])
def test_a_damaged_pack_is_read_or_refused_and_takes_little_memory(tmp_path, form):
    rng = np.random.default_rng(0)
    pictures, is_same = [rng.bytes(int(rng.integers(1, 400))) for _ in range(12)], [True, False, True] * 2
    writers = {"python 2": python_2_pack, "python 2 text": python_2_text_pack}
    good = writers[form](pictures, is_same) if form in writers else pickle.dumps((pictures, is_same), form)
    refused = []
    tracemalloc.start()
    try:
        for case in range(400):
            data = bytearray(good)
            if case % 2:
                del data[rng.integers(len(good)) :]
            else:
                for place in rng.integers(len(good), size=rng.integers(1, 6)):
                    data[place] = rng.integers(256)
            (tmp_path / "x.bin").write_bytes(data)
            try:
                read_bin_pack(tmp_path / "x.bin")
            except DataSetError as error:
                refused.append(str(error))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert 0 < len(refused) <= 400
    assert all(str(tmp_path) in message for message in refused)


def test_pairs_are_cut_into_ten_blocks_as_insightface_does():
    from sklearn.model_selection import KFold

    for num_pairs in (10, 23, 600):
        is_same = [index % 3 == 0 for index in range(num_pairs)]
        table = verification_pairs(photo_names("lfw", num_pairs), is_same)
        assert tuple(table.columns) == VERIFICATION_PAIRS
        assert table["is_same_identity"].tolist() == is_same
        for fold, (_, test) in enumerate(KFold(n_splits=10, shuffle=False).split(np.arange(num_pairs))):
            assert table.index[table["fold"] == fold].tolist() == test.tolist()


def test_the_two_photos_of_a_pair_are_named_a_and_b():
    table = verification_pairs(photo_names("lfw", 12), [True] * 12)
    assert table.loc[11, ["photo_a", "photo_b"]].tolist() == ["lfw/000011_a", "lfw/000011_b"]


def test_fewer_pairs_than_folds_are_refused():
    with pytest.raises(DataSetError, match="9 pairs are too few for 10 folds"):
        verification_pairs(photo_names("lfw", 9), [True] * 9)
