import base64
import pickle
import shutil
import struct
from types import SimpleNamespace

import pytest

from dwmtl.datasets import folders
from dwmtl.datasets.packs import extract
from dwmtl.datasets.packs.bin_pack import write_bin_pack
from dwmtl.datasets.packs.extract import extract_bin_pack, extract_ms_celeb, extract_pictures, extract_record_pack
from dwmtl.datasets.packs.record_file import MAGIC
from dwmtl.datasets.packs.record_pack import RecordPack
from dwmtl.datasets.packs.record_pack_writer import write_record_pack
from dwmtl.errors import DataSetError, DwmtlError
from dwmtl.tables import VERIFICATION_PAIRS, read_table

JPG, PNG, BMP = b"\xff\xd8\xff\xe0 jpeg", b"\x89PNG\r\n\x1a\n png", b"BM bmp"


def files_below(folder) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_record_pack_becomes_a_folder_a_person(tmp_path):
    write_record_pack(tmp_path / "pack", [(4, JPG), (4, PNG), (12, BMP)])
    assert extract_record_pack(tmp_path / "pack", tmp_path / "out") == 3
    assert files_below(tmp_path / "out") == {
        "0000004/000000001.jpg": JPG,
        "0000004/000000002.png": PNG,
        "0000012/000000003.bmp": BMP,
        "photos.csv": b"photo,subject\n0000004/000000001.jpg,0000004\n"
        b"0000004/000000002.png,0000004\n0000012/000000003.bmp,0000012\n",
    }
    photos = folders.read(tmp_path / "out", num_peak_frames=3).photos
    assert photos["subject"].tolist() == ["0000004", "0000004", "0000012"]


def test_a_bin_pack_becomes_pictures_and_pairs(tmp_path):
    is_same = [index % 2 == 0 for index in range(11)]
    write_bin_pack(tmp_path / "lfw.bin", [JPG, PNG] * 11, is_same)
    assert extract_bin_pack(tmp_path / "lfw.bin", tmp_path / "out") == 22
    pairs = read_table(tmp_path / "out" / "pairs.csv", VERIFICATION_PAIRS)
    assert pairs.loc[10, ["photo_a", "photo_b"]].tolist() == ["lfw/000/000010_a.jpg", "lfw/000/000010_b.png"]
    assert pairs["is_same_identity"].tolist() == is_same
    assert pairs["fold"].tolist() == [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert {(tmp_path / "out" / photo).read_bytes() for photo in pairs["photo_a"]} == {JPG}
    assert {(tmp_path / "out" / photo).read_bytes() for photo in pairs["photo_b"]} == {PNG}


def test_an_ms_celeb_file_becomes_a_folder_a_person(tmp_path):
    data = base64.b64encode(JPG).decode()
    lines = [f"{entity}\t5\ta\tb\tFaceId-0\tAA==\t{data}\n" for entity in ("m.0", "m.1", "m.2")]
    (tmp_path / "x.tsv").write_text("".join(lines))
    (tmp_path / "clean.txt").write_text("m.0/5-FaceId-0.jpg 7\nm.1/5-FaceId-0.jpg 7\n")
    assert extract_ms_celeb(tmp_path / "x.tsv", tmp_path / "all") == 3
    assert extract_ms_celeb(tmp_path / "x.tsv", tmp_path / "clean", tmp_path / "clean.txt") == 2
    assert sorted(files_below(tmp_path / "all"))[:2] == ["m.0/m.0-5-FaceId-0.jpg", "m.1/m.1-5-FaceId-0.jpg"]
    assert sorted(files_below(tmp_path / "clean")) == ["7/m.0-5-FaceId-0.jpg", "7/m.1-5-FaceId-0.jpg", "photos.csv"]


def test_no_folder_holds_more_than_1000_pictures(tmp_path):
    items = (("a", f"{number:04d}", JPG) for number in range(2001))
    extract_pictures(items, tmp_path / "out", source="test")
    counts = {
        folder.relative_to(tmp_path / "out").as_posix(): sum(entry.is_file() for entry in folder.iterdir())
        for folder in (tmp_path / "out").rglob("*")
        if folder.is_dir()
    }
    assert counts == {"a": 1000, "a/001": 1000, "a/002": 1}
    lines = (tmp_path / "out" / "photos.csv").read_text().splitlines()[1:]
    assert [line.split(",")[1] for line in lines] == ["a"] * 2001
    assert all((tmp_path / "out" / line.split(",")[0]).is_file() for line in lines)


def test_a_bin_pack_goes_into_shards_too(tmp_path, monkeypatch):
    monkeypatch.setattr(extract, "MAX_FILES_PER_FOLDER", 10)
    write_bin_pack(tmp_path / "lfw.bin", [JPG, JPG] * 12, [True] * 12)
    extract_bin_pack(tmp_path / "lfw.bin", tmp_path / "out")
    assert [len(list((tmp_path / "out" / "lfw" / shard).iterdir())) for shard in ("000", "001", "002")] == [10, 10, 4]


@pytest.mark.parametrize(
    ("identity", "name", "picture", "message"),
    [
        ("../../x", "a", JPG, r"'\.\./\.\./x' is not a safe name"),
        ("a", "../x", JPG, r"'\.\./x' is not a safe name"),
        ("/tmp/x", "a", JPG, "is not a safe name"),
        ("..", "a", JPG, "is not a safe name"),
        ("", "a", JPG, "is not a safe name"),
        ("a", "b", b"GIF89a", "neither JPEG, PNG nor BMP; it starts with 474946383961"),
        ("a", "b", b"", "neither JPEG"),
        ("first", "1", JPG, "two pictures have this name"),
        ("photos.csv", "1", JPG, "two pictures have this name"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_is_left_anywhere(tmp_path, identity, name, picture, message):
    inside = tmp_path / "deep" / "er"
    inside.mkdir(parents=True)
    with pytest.raises(DataSetError, match="test, picture .*" + message):
        extract_pictures([("first", "1", JPG), (identity, name, picture)], inside / "out", source="test")
    assert files_below(tmp_path) == {}
    assert list(inside.iterdir()) == []


def test_a_source_without_pictures_is_refused(tmp_path):
    with pytest.raises(DataSetError, match="test: holds no pictures"):
        extract_pictures([], tmp_path / "out", source="test")


@pytest.mark.parametrize("stem", ["..", "a b", "pairs.csv"])
def test_a_bin_pack_whose_name_is_no_folder_is_refused(tmp_path, stem):
    path = tmp_path / f"{stem}.bin"
    write_bin_pack(path, [JPG, JPG] * 10, [True] * 10)
    with pytest.raises(DataSetError, match=r"is not a safe name|two pictures"):
        extract_bin_pack(path, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_use_is_left_alone_and_an_empty_one_is_filled(tmp_path):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").touch()
    with pytest.raises(DwmtlError, match="it is there already, and not empty"):
        extract_pictures([("a", "1", JPG)], tmp_path / "used", source="test")
    assert [path.name for path in (tmp_path / "used").iterdir()] == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    extract_pictures([("a", "1", JPG)], tmp_path / "link", source="test")
    assert (tmp_path / "empty" / "a" / "1.jpg").is_file()
    assert (tmp_path / "link").is_symlink()


def test_a_link_in_place_of_the_partial_folder_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".out.partial").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError, match="out"):
        extract_pictures([("a", "1", JPG)], tmp_path / "out", source="test")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_real_pack_is_extracted(testdata, tmp_path):
    folder = testdata / "real" / "recordio"
    if not folder.is_dir():
        pytest.skip(f"{folder}: no such folder")
    assert extract_record_pack(folder, tmp_path / "out") == 8
    pack = RecordPack(folder)
    assert (tmp_path / "out" / "0000001" / "000000004.jpg").read_bytes() == pack.picture_bytes(4)
    assert len(folders.read(tmp_path / "out", num_peak_frames=3).photos) == 8


def bomb(picture: bytes, num_pictures: int) -> bytes:
    """A pickle that holds a picture once and names it again by its memo."""
    head = b"\x80\x03](B" + struct.pack("<I", len(picture)) + picture + b"q\0"
    return head + b"h\0" * (num_pictures - 1) + b"e](" + b"\x88" * (num_pictures // 2) + b"e\x86."


def test_a_bin_pack_that_names_one_picture_again_and_again_is_refused(tmp_path):
    (tmp_path / "x.bin").write_bytes(bomb(JPG + bytes(1000), 20_000))
    with pytest.raises(DataSetError, match=r"x\.bin: 51024 bytes that name pictures of 20180000, the same ones"):
        extract_bin_pack(tmp_path / "x.bin", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_picture_of_several_pairs_may_be_in_a_bin_pack_once(tmp_path):
    pictures = [JPG + bytes(500), PNG + bytes(500)] * 20
    with (tmp_path / "x.bin").open("wb") as file:
        pickle.dump((pictures[:2] * 4 + [JPG + b"%d" % n for n in range(12)], [True] * 10), file, protocol=2)
    assert extract_bin_pack(tmp_path / "x.bin", tmp_path / "out") == 20


def test_a_pack_whose_keys_share_a_record_is_refused(tmp_path):
    write_record_pack(tmp_path / "pack", [(4, JPG), (5, PNG)], has_header=False)
    (tmp_path / "pack/train.idx").write_text("0\t0\n1\t0\n2\t0\n")
    with pytest.raises(DataSetError, match=r"train\.idx, line 2: the keys 0 and 1 have one record, at byte 0"):
        extract_record_pack(tmp_path / "pack", tmp_path / "out")


def test_a_pack_whose_records_lie_in_each_other_is_refused(tmp_path):
    """A thousand records, each of which ends with the file: half a million times their size."""
    record, inner = b"", []
    for _ in range(1000):
        record = struct.pack("<4sI", MAGIC, 24 + len(record)) + struct.pack("<IfQQ", 0, 1.0, 0, 0) + record
        inner.append(len(record))
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack/train.rec").write_bytes(record)
    lines = [f"{key}\t{len(record) - length}\n" for key, length in enumerate(inner)]
    (tmp_path / "pack/train.idx").write_text("".join(lines))
    with pytest.raises(DataSetError, match="the record ends at byte 32000, and by the index another one starts at"):
        extract_record_pack(tmp_path / "pack", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def sources(tmp_path) -> dict:
    """A source of each format, and the function that extracts it."""
    write_bin_pack(tmp_path / "x.bin", [JPG, JPG] * 10, [True] * 10)
    write_record_pack(tmp_path / "pack", [(4, JPG)])
    (tmp_path / "x.tsv").write_bytes(b"m.0\t5\ta\tb\tFaceId-0\tAA==\t" + base64.b64encode(JPG) + b"\n")
    return {
        extract_bin_pack: tmp_path / "x.bin",
        extract_record_pack: tmp_path / "pack",
        extract_ms_celeb: tmp_path / "x.tsv",
    }


def test_what_does_not_fit_on_the_disk_is_told_before_it_is_written(sources, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5))
    for function, source in sources.items():
        with pytest.raises(DwmtlError, match=r"deep/out: \d+ bytes are to be written, and the disk has 5 bytes free"):
            function(source, tmp_path / "deep/out")
    assert not (tmp_path / "deep").exists()


def test_what_fits_on_the_disk_to_the_byte_is_written(sources, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=len(JPG)))
    assert extract_record_pack(sources[extract_record_pack], tmp_path / "out") == 1
