import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl.datasets.lfw import VIEW_1, read_view_1
from dwmtl.errors import DataSetError

GOOD = ["2", "Ann_A\t1\t2", "Bob_B\t2\t1", "Ann_A\t1\tBob_B\t2", "Bob_B\t1\tCyd_C\t1"]
PHOTOS = [f"{name}/{name}_{number:04d}.jpg" for name in ("Ann_A", "Bob_B", "Cyd_C") for number in (1, 2)]


def write(folder, lines: list[str], part: str = "train"):
    (folder / VIEW_1[part]).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def lfw(make_tree):
    return make_tree(*PHOTOS)


@pytest.mark.parametrize(("part", "name"), [("train", "pairsDevTrain.txt"), ("test", "pairsDevTest.txt")])
def test_a_part_is_one_block(lfw, part, name):
    (lfw / name).write_text("\n".join(GOOD))
    data_set = read_view_1(lfw, part)
    assert data_set.pairs["fold"].tolist() == [0, 0, 0, 0]
    assert data_set.pairs["is_same_identity"].tolist() == [True, True, False, False]
    assert data_set.pairs.loc[3, ["photo_a", "photo_b"]].tolist() == ["Bob_B/Bob_B_0001.jpg", "Cyd_C/Cyd_C_0001.jpg"]
    assert data_set.photos["photo"].tolist() == PHOTOS[:5]
    assert data_set.photos["subject"].tolist() == ["Ann_A", "Ann_A", "Bob_B", "Bob_B", "Cyd_C"]


@pytest.mark.parametrize("header", ["10\t300", "0", "-1", "many", "9" * 5000, GOOD[1]])
def test_a_first_line_that_announces_nothing_is_told(lfw, header):
    with pytest.raises(DataSetError, match=r"pairsDevTrain\.txt, line 1: must be the number of pairs of a kind"):
        read_view_1(write(lfw, [header, *GOOD[1:]]), "train")


def test_pairs_that_do_not_add_up_are_told(lfw):
    with pytest.raises(DataSetError, match=r"pairsDevTest\.txt: 3 pairs, 2 of them genuine; .* 1 blocks of 2 genuine"):
        read_view_1(write(lfw, GOOD[:-1], "test"), "test")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Ann_A\t1\t9", r"names .*Ann_A_0009\.jpg, which is not there"),
        ("Ann_A\t1", "must be `name i j`"),
        ("..\t1\t2", "is no person's folder"),
    ],
)
def test_a_bad_pair_is_named_with_its_line(lfw, line, message):
    with pytest.raises(DataSetError, match=f"line 2: .*{message}"):
        read_view_1(write(lfw, [GOOD[0], line, *GOOD[2:]]), "train")


def test_a_missing_file_is_told(lfw):
    with pytest.raises(DataSetError, match=r"pairsDevTrain\.txt: no such file"):
        read_view_1(lfw, "train")


word = st.sampled_from(["Ann_A", "Bob_B", "1", "2", "..", "\t"]) | st.text(max_size=4)


@settings(deadline=None)
@given(header=st.sampled_from(["1", "2"]) | word, lines=st.lists(st.lists(word, max_size=4).map("\t".join), max_size=4))
def test_any_file_is_read_or_refused(tmp_path_factory, header, lines):
    folder = tmp_path_factory.mktemp("lfw")
    for photo in PHOTOS:
        (folder / photo).parent.mkdir(exist_ok=True)
        (folder / photo).touch()
    try:
        data_set = read_view_1(write(folder, [header, *lines]), "train")
    except DataSetError:
        return
    assert set(data_set.photos["photo"]) <= set(PHOTOS)
