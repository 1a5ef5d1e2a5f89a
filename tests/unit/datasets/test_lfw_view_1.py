import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl.datasets.adapters import read_data_set
from dwmtl.datasets.lfw import VIEW_1, read
from dwmtl.datasets.params import SetParams
from dwmtl.errors import DataSetError

PHOTOS = [f"{name}/{name}_{number:04d}.jpg" for name in ("Ann_A", "Bob_B", "Cyd_C") for number in (1, 2)]
GENUINE = ["Ann_A\t1\t2", "Bob_B\t2\t1"]
IMPOSTOR = ["Ann_A\t1\tBob_B\t2", "Bob_B\t1\tCyd_C\t1"]
GOOD = ["20", *GENUINE * 10, *IMPOSTOR * 10]


def write(folder, lines: list[str], view: str = "1-train"):
    (folder / VIEW_1[view]).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def read_view(folder, view: str = "1-train"):
    params = SetParams(role="verification", adapter="lfw", folder=str(folder), view=view)
    return read_data_set("lfw", params, num_peak_frames=3)


@pytest.fixture
def lfw(make_tree):
    return make_tree(*PHOTOS)


@pytest.mark.parametrize(("view", "name"), [("1-train", "pairsDevTrain.txt"), ("1-test", "pairsDevTest.txt")])
def test_a_part_is_cut_into_ten_blocks_of_both_kinds(lfw, view, name):
    (lfw / name).write_text("\n".join(GOOD))
    data_set = read_view(lfw, view)
    kinds = data_set.pairs.groupby("fold")["is_same_identity"].agg(["sum", "size"])
    assert kinds.to_numpy().tolist() == [[2, 4]] * 10
    assert data_set.pairs["fold"].is_monotonic_increasing
    assert data_set.pairs.loc[3, ["photo_a", "photo_b"]].tolist() == ["Bob_B/Bob_B_0001.jpg", "Cyd_C/Cyd_C_0001.jpg"]
    assert data_set.photos["photo"].tolist() == PHOTOS[:5]
    assert data_set.photos["subject"].tolist() == ["Ann_A", "Ann_A", "Bob_B", "Bob_B", "Cyd_C"]


def test_blocks_of_pairs_that_ten_does_not_divide_differ_by_one_pair_of_a_kind(lfw):
    pairs = read_view(write(lfw, ["11", *GENUINE * 5, GENUINE[0], *IMPOSTOR * 5, IMPOSTOR[0]])).pairs
    assert sorted(pairs.groupby("fold").size()) == [2] * 9 + [4]


def test_too_few_pairs_for_ten_blocks_are_told(lfw):
    with pytest.raises(DataSetError, match=r"pairsDevTrain\.txt: 2 pairs per kind are too few for 10 blocks"):
        read_view(write(lfw, ["2", *GENUINE, *IMPOSTOR]))


@pytest.mark.parametrize("header", ["10\t300", "0", "-1", "many", "9" * 5000, GOOD[1]])
def test_a_first_line_that_announces_nothing_is_told(lfw, header):
    with pytest.raises(DataSetError, match=r"pairsDevTrain\.txt, line 1: must be the number of pairs per kind"):
        read_view(write(lfw, [header, *GOOD[1:]]))


def test_pairs_that_do_not_add_up_are_told(lfw):
    with pytest.raises(DataSetError, match=r"pairsDevTest\.txt: 39 pairs, 20 of them genuine; .* 1 blocks of 20"):
        read_view(write(lfw, GOOD[:-1], "1-test"), "1-test")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Ann_A\t1\t9", r"names .*Ann_A_0009 .*, which does not exist"),
        ("Ann_A\t1", "must be `name i j`"),
        ("..\t1\t2", "'..' is not the name of a folder"),
        (".\t1\t2", "'.' is not the name of a folder"),
        ("../lfw/Ann_A\t1\t2", "'../lfw/Ann_A' is not the name of a folder"),
        ("/Ann_A\t1\t2", "'/Ann_A' is not the name of a folder"),
        ("Ann_A\t1\t../Ann_A\t2", "'../Ann_A' is not the name of a folder"),
    ],
)
def test_a_bad_pair_is_named_with_its_line(lfw, line, message):
    with pytest.raises(DataSetError, match=f"line 2: .*{message}"):
        read_view(write(lfw, [GOOD[0], line, *GOOD[2:]]))


def test_a_missing_file_is_told(lfw):
    with pytest.raises(DataSetError, match=r"pairsDevTrain\.txt: no such file"):
        read_view(lfw)


word = st.sampled_from(["Ann_A", "Bob_B", "1", "2", "..", "\t"]) | st.text(max_size=4)


@settings(deadline=None)
@given(header=st.sampled_from(["1", "2"]) | word, lines=st.lists(st.lists(word, max_size=4).map("\t".join), max_size=4))
def test_any_file_is_read_or_refused(tmp_path_factory, header, lines):
    folder = tmp_path_factory.mktemp("lfw")
    for photo in PHOTOS:
        (folder / photo).parent.mkdir(exist_ok=True)
        (folder / photo).touch()
    try:
        data_set = read(write(folder, [header, *lines]), num_peak_frames=3, view="1-train")
    except DataSetError:
        return
    assert set(data_set.photos["photo"]) <= set(PHOTOS)
