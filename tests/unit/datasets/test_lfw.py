"""LFW: its blocks of pairs, and the photos that they name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dwmtl.datasets.adapters import read_data_set
from dwmtl.datasets.params import SetParams
from dwmtl.errors import DataSetError


def read(folder: Path):
    source = SetParams(role="verification", adapter="lfw", folder=str(folder))
    return read_data_set("verification", source, num_peak_frames=3)


@pytest.fixture
def write_lfw(touch_tree) -> Callable[[list[str]], Path]:
    """`write_lfw(lines)` makes a folder of three people with two photos each, and `pairs.txt` of these lines."""

    def write(lines: list[str]) -> Path:
        names = ("Ann_A", "Bob_B", "Cyd_C")
        folder = touch_tree(*[f"{name}/{name}_{number:04d}.jpg" for name in names for number in (1, 2)])
        (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
        return folder

    return write


GOOD = ["2\t1", "Ann_A\t1\t2", "Ann_A\t1\tBob_B\t2", "Bob_B\t1\t2", "Bob_B\t1\tAnn_A\t2"]


def test_lfw_blocks_are_the_folds(write_lfw):
    data_set = read(write_lfw(GOOD))
    assert data_set.pairs["fold"].tolist() == [0, 0, 1, 1]
    assert data_set.pairs["is_same_identity"].tolist() == [True, False, True, False]
    assert data_set.pairs.loc[1, ["photo_a", "photo_b"]].tolist() == ["Ann_A/Ann_A_0001.jpg", "Bob_B/Bob_B_0002.jpg"]


def test_lfw_lists_only_photos_that_a_pair_names(write_lfw):
    assert set(read(write_lfw(GOOD)).photos["subject"]) == {"Ann_A", "Bob_B"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Ann_A\t1\t9", r"line 2: names .*Ann_A_0009 .*, which does not exist"),
        ("Ann_A\t1", "line 2: must be `name i j`"),
        ("Ann_A\tone\t2", "line 2: must be `name i j`"),
        ("Ann_A\t1\tAnn_A\t2", "line 2: must be `name i j` or, of two people"),
        ("Ann_A\t1\t" + "9" * 5000, "line 2: must be `name i j`"),
        ("../Ann_A\t1\t2", r"line 2: .*is not the name of a folder"),
        ("..\t1\t2", "line 2: .*is not the name of a folder"),
    ],
)
def test_a_bad_lfw_pair_is_named_with_its_line(write_lfw, line, message):
    with pytest.raises(DataSetError, match=message):
        read(write_lfw([GOOD[0], line, *GOOD[2:]]))


def test_lfw_blocks_that_do_not_add_up_are_told(write_lfw):
    with pytest.raises(DataSetError, match="3 pairs, 2 of them genuine; the first line announces 2 blocks of 1"):
        read(write_lfw(GOOD[:-1]))


def test_an_lfw_block_of_one_kind_is_told(write_lfw):
    lines = [GOOD[0], GOOD[1], "Ann_A\t2\t1", GOOD[2], GOOD[4]]
    with pytest.raises(DataSetError, match="2 of them genuine; the first line announces"):
        read(write_lfw(lines))


def test_an_lfw_first_line_that_announces_nothing_is_told(write_lfw):
    with pytest.raises(DataSetError, match="line 1: must be the number of blocks"):
        read(write_lfw(GOOD[1:]))


def test_lfw_without_its_pairs_is_told(touch_tree):
    with pytest.raises(DataSetError, match=r"pairs\.txt: no such file"):
        read(touch_tree("Ann_A/Ann_A_0001.jpg"))


def test_real_lfw_is_ten_blocks_of_sixty_pairs(testdata):
    data_set = read(testdata / "real" / "lfw")
    assert data_set.pairs["fold"].value_counts().to_dict() == dict.fromkeys(range(10), 60)
    assert len(data_set.photos) == 901


@pytest.mark.parametrize("ending", [".JPG", ".png", ".jpeg", ".jpg.png", ".jfif"])
def test_lfw_is_read_whatever_its_photos_end_in(tmp_path, write_lfw, ending):
    write_lfw(GOOD)
    (tmp_path / "Ann_A/Ann_A_0002.jpg").rename(tmp_path / f"Ann_A/Ann_A_0002{ending}")
    data_set = read(tmp_path)
    assert f"Ann_A/Ann_A_0002{ending}" in data_set.photos["photo"].tolist()
    assert data_set.pairs.loc[0, "photo_b"] == f"Ann_A/Ann_A_0002{ending}"


def test_two_photos_of_one_name_in_lfw_are_told(tmp_path, touch_tree, write_lfw):
    write_lfw(GOOD)
    touch_tree("Ann_A/Ann_A_0001.png")
    with pytest.raises(DataSetError, match=r"line 2: names Ann_A_0001, which could be .*jpg or .*png"):
        read(tmp_path)


def test_lfw_reads_a_name_in_another_form_of_unicode(tmp_path, touch_tree):
    """macOS decomposes names: `é` of pairs.txt is `e` and an accent on the disk."""
    composed, decomposed = "Jos\u00e9_A", "Jose\u0301_A"
    touch_tree(*[f"{decomposed}/{decomposed}_{number:04d}.jpg" for number in (1, 2)], "Bob_B/Bob_B_0001.jpg")
    (tmp_path / "pairs.txt").write_text("2 1\n" + 2 * f"{composed}\t1\t2\n{composed}\t1\tBob_B\t1\n", encoding="utf-8")
    data_set = read(tmp_path)
    assert set(data_set.photos["photo"]) == {
        f"{decomposed}/{decomposed}_0001.jpg", f"{decomposed}/{decomposed}_0002.jpg", "Bob_B/Bob_B_0001.jpg",
    }  # fmt: skip


BOM = "\ufeff"


def test_pairs_txt_may_have_a_byte_order_mark_and_blanks_at_line_ends(tmp_path, write_lfw):
    write_lfw(GOOD)
    text = BOM + "".join(f"{line} \t\r\n" for line in GOOD)
    (tmp_path / "pairs.txt").write_text(text, encoding="utf-8", newline="")
    assert len(read(tmp_path).pairs) == 4


def test_a_text_file_in_utf_16_is_told_with_its_cure(tmp_path, write_lfw):
    write_lfw(GOOD)
    (tmp_path / "pairs.txt").write_text("\n".join(GOOD), encoding="utf-16")
    with pytest.raises(DataSetError, match=r"not a text file .*Save it as UTF-8"):
        read(tmp_path)
