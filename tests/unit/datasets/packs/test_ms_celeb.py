import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl.datasets.packs import ms_celeb
from dwmtl.datasets.packs.ms_celeb import pictures, read_clean_list
from dwmtl.errors import DataSetError


def aligned(entity: str, rank: int, picture: bytes, face_id: str = "FaceId-0") -> str:
    columns = [
        entity,
        str(rank),
        "http://a/1.jpg",
        "http://b/",
        face_id,
        "AAAAAA==",
        base64.b64encode(picture).decode(),
    ]
    return "\t".join(columns)


def write(path, *lines: str):
    path.write_text("".join(line + "\n" for line in lines))
    return path


@pytest.fixture
def tsv(tmp_path):
    return write(
        tmp_path / "faces.tsv",
        aligned("m.01", 3, b"one"),
        aligned("m.01", 7, b"two", "FaceId-1"),
        aligned("m.02_x", 0, b"three"),
    )


def test_aligned_faces_are_read_with_rank_and_face_id(tsv):
    assert list(pictures(tsv)) == [
        ("m.01", "m.01/3-FaceId-0", b"one"),
        ("m.01", "m.01/7-FaceId-1", b"two"),
        ("m.02_x", "m.02_x/0-FaceId-0", b"three"),
    ]


def test_whole_images_have_the_rank_for_id_even_where_the_name_is_a_number(tmp_path):
    tsv = write(tmp_path / "x.tsv", "m.0\t112\t5\thttp://a\thttp://b\t" + base64.b64encode(b"one").decode())
    assert list(pictures(tsv)) == [("m.0", "m.0/5", b"one")]


@given(picture=st.binary(min_size=1))
@settings(deadline=None)
def test_every_picture_comes_back(tmp_path_factory, picture):
    tsv = write(tmp_path_factory.mktemp("tsv") / "x.tsv", aligned("m.0", 1, picture))
    assert [found for _, _, found in pictures(tsv)] == [picture]


@pytest.mark.parametrize("line", ["m.01/7-FaceId-1.jpg 12", "12\tm.01/7-FaceId-1.jpg", "m.01/7-FaceId-1 12"])
def test_a_clean_list_chooses_pictures_and_names_their_identities(tsv, tmp_path, line):
    clean = write(tmp_path / "clean.txt", line, "m.02_x/0-FaceId-0.JPG 12")
    assert list(pictures(tsv, clean)) == [("12", "m.01/7-FaceId-1", b"two"), ("12", "m.02_x/0-FaceId-0", b"three")]


def test_a_picture_of_the_clean_list_that_never_comes_is_named(tsv, tmp_path):
    clean = write(tmp_path / "clean.txt", "m.01/3-FaceId-0.jpg 0", "m.09/3-FaceId-0.jpg 1")
    with pytest.raises(DataSetError, match=r"faces\.tsv: lacks 1 pictures that .*, the first m\.09/3-FaceId-0"):
        list(pictures(tsv, clean))


def test_a_listed_picture_that_comes_twice_is_named(tmp_path):
    tsv = write(tmp_path / "x.tsv", aligned("m.0", 1, b"a"), aligned("m.0", 1, b"a"))
    with pytest.raises(DataSetError, match=r"line 2: m\.0/1-FaceId-0 appears twice"):
        list(pictures(tsv, write(tmp_path / "clean.txt", "m.0/1-FaceId-0.jpg 0")))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("m.0", "line 2: 1 columns"),
        ("m.0\tYWJj", "line 2: 2 columns"),
        ("m.0\tx\thttp://a\tYWJj", "line 2: no column is a search rank"),
        ("m.0\t1\tYW*j", "line 2: the image data is not base64"),
        ("m.0\t1\tYWJ", "line 2: the image data is not base64"),
        ("m.0\t1\tYWJj YWJj", "line 2: the image data is not base64"),
        ("m.0\t1\tYWJj\t", "line 2: the image data is empty"),
        ("\t1\tYWJj", "line 2: '' is not a safe name"),
        ("../../x\t1\tYWJj", "line 2: '../../x' is not a safe name"),
        ("..\t1\tYWJj", "line 2: '..' is not a safe name"),
        ("/etc\t1\tYWJj", "line 2: '/etc' is not a safe name"),
        ("a\\b\t1\tYWJj", "line 2: .* is not a safe name"),
        ("a\0b\t1\tYWJj", "line 2: .* is not a safe name"),
        ("a" * 101 + "\t1\tYWJj", "line 2: .* is not a safe name"),
        (".hidden\t1\tYWJj", "line 2: .* is not a safe name"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, message):
    tsv = write(tmp_path / "x.tsv", aligned("m.0", 9, b"good"), line)
    with pytest.raises(DataSetError, match=r"x\.tsv, " + message):
        list(pictures(tsv))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("m.0/1-FaceId-0.jpg", "must be"),
        ("m.0/1-FaceId-0.jpg 0 1", "must be"),
        ("m.0/a/1-FaceId-0.jpg 0", "must be"),
        ("1-FaceId-0.jpg 0", "must be"),
        ("m.0/1-FaceId-0.jpg ../../x", "is not a safe name"),
        ("../x.jpg 0", "is not a safe name"),
        ("m.0/.jpg 0", "is not a safe name"),
        ("m.1/1-FaceId-0.jpg 5", "m.1/1-FaceId-0 has the identity 4 in an earlier line, 5 here"),
    ],
)
def test_a_malformed_clean_list_is_named_with_its_line(tmp_path, line, message):
    clean = write(tmp_path / "clean.txt", "m.1/1-FaceId-0.jpg 4", "", line)
    with pytest.raises(DataSetError, match=r"clean\.txt, line 3: .*" + message):
        read_clean_list(clean)


def test_bytes_that_are_no_text_are_named(tmp_path):
    (tmp_path / "x").write_bytes(b"m\xff\t1\tYWJj\n")
    with pytest.raises(DataSetError, match="line 1: not text"):
        list(pictures(tmp_path / "x"))
    with pytest.raises(DataSetError, match="line 1: not text"):
        read_clean_list(tmp_path / "x")


def test_a_line_that_never_ends_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(ms_celeb, "MAX_LINE_BYTES", 1000)
    tsv = write(tmp_path / "x.tsv", aligned("m.0", 1, b"a"), aligned("m.0", 2, b"a" * 1000))
    with pytest.raises(DataSetError, match=r"x\.tsv, line 2: longer than 1000 bytes"):
        list(pictures(tsv))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataSetError, match=r"none\.tsv: cannot be read"):
        list(pictures(tmp_path / "none.tsv"))


def test_a_damaged_file_is_read_or_refused(tsv):
    rng = np.random.default_rng(0)
    good, refused = tsv.read_bytes(), []
    for case in range(400):
        data = bytearray(good)
        if case % 2:
            del data[rng.integers(len(good)) :]
        else:
            for place in rng.integers(len(good), size=rng.integers(1, 6)):
                data[place] = rng.integers(256)
        tsv.write_bytes(data)
        try:
            list(pictures(tsv))
        except DataSetError as error:
            refused.append(str(error))
    assert 0 < len(refused) < 400
    assert all(f"{tsv}, line" in message for message in refused)


def test_a_byte_order_mark_and_blanks_at_line_ends_are_read_over(tmp_path):
    path = tmp_path / "clean.txt"
    path.write_bytes(b"\xef\xbb\xbfm.0/1.jpg 0 \r\nm.0/2.jpg 0\t\r\n")
    assert read_clean_list(path) == {"m.0/1": "0", "m.0/2": "0"}
