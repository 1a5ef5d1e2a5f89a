import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl import tables
from dwmtl.errors import ProtocolError
from dwmtl.protocol.duplicates import drop_duplicates, find_duplicates

FAULTS = ["is_across_folds", "is_contradicting_subject", "is_contradicting_expression", "is_harmless"]
COLUMNS = ["photo", "subject", "expression", "fold", "bytes_sha256", "pixels_sha256"]


def _photos(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS)


def _drop(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return drop_duplicates(table[["photo", "subject", "expression"]], table[["photo", "bytes_sha256", "pixels_sha256"]])


def test_photos_with_the_same_pixels_are_a_group_whatever_their_bytes():
    found = find_duplicates(
        _photos(
            ("d", "s", "sad", 0, "1", "P"),
            ("a", "s", "sad", 0, "2", "P"),
            ("b", "s", "sad", 0, "3", "Q"),
            ("c", "s", "sad", 0, "4", "R"),
            ("e", "s", "sad", 0, "4", "R"),
        )
    )
    assert tuple(found.columns) == tables.DUPLICATES
    assert found[["group", "photo", "is_same_bytes"]].to_numpy().tolist() == [
        [0, "a", False],
        [0, "d", False],
        [1, "c", True],
        [1, "e", True],
    ]


def test_without_digests_of_pixels_the_bytes_decide():
    found = find_duplicates(_photos(("a", "s", "", 0, "1", ""), ("b", "s", "", 0, "1", ""), ("c", "s", "", 0, "2", "")))
    assert found["photo"].tolist() == ["a", "b"]


def test_unreadable_photos_are_in_no_group():
    assert find_duplicates(_photos(("a", "s", "", 0, "", ""), ("b", "t", "", 1, "", ""))).empty


@pytest.mark.parametrize(
    ("other", "faults"),
    [
        (("s", "sad", 0), ["is_harmless"]),
        (("s", "sad", 1), ["is_across_folds"]),
        (("t", "sad", 0), ["is_contradicting_subject"]),
        (("s", "anger", 0), ["is_contradicting_expression"]),
        (("t", "anger", 1), ["is_across_folds", "is_contradicting_subject", "is_contradicting_expression"]),
        (("s", "", 0), ["is_harmless"]),
        (("", "sad", 0), ["is_harmless"]),
    ],
)
def test_what_is_wrong_with_a_group_is_told(other, faults):
    found = find_duplicates(_photos(("a", "s", "sad", 0, "1", "P"), ("b", *other, "1", "P")))
    assert len(found) == 2
    for _, row in found[FAULTS].iterrows():
        assert [fault for fault in FAULTS if row[fault]] == faults


def test_the_first_photo_by_name_is_kept_where_labels_agree():
    kept, dropped = _drop(
        _photos(("c", "s", "sad", 0, "1", "P"), ("a", "s", "sad", 0, "1", "P"), ("b", "s", "sad", 0, "2", "Q"))
    )
    assert kept["photo"].tolist() == ["a", "b"]
    assert dropped.to_dict("records") == [
        {"photo": "c", "kept": "a", "is_contradicting_subject": False, "is_contradicting_expression": False}
    ]


def test_a_photo_with_an_expression_is_kept_before_one_without():
    kept, _ = _drop(_photos(("noglasses", "s", "", 0, "1", "P"), ("normal", "s", "neutral", 0, "1", "P")))
    assert kept["photo"].tolist() == ["normal"]


@pytest.mark.parametrize("other", [("t", "sad"), ("s", "anger")])
def test_photos_that_contradict_each_other_are_all_dropped(other):
    kept, dropped = _drop(
        _photos(("a", "s", "sad", 0, "1", "P"), ("b", *other, 0, "1", "P"), ("c", "s", "sad", 0, "2", "Q"))
    )
    assert kept["photo"].tolist() == ["c"]
    assert dropped["photo"].tolist() == ["a", "b"]
    assert dropped["kept"].tolist() == ["", ""]


def test_set_without_duplicates_is_left_as_it_is():
    table = _photos(("b", "s", "sad", 0, "1", "P"), ("a", "s", "sad", 0, "2", "Q"))
    kept, dropped = _drop(table)
    pd.testing.assert_frame_equal(kept, table[["photo", "subject", "expression"]])
    assert tuple(dropped.columns) == tables.DROPPED_PHOTOS
    assert dropped.empty


def test_photo_without_digests_is_an_error_that_names_it():
    table = _photos(("a", "s", "sad", 0, "1", "P"), ("b", "s", "sad", 0, "1", "P"))
    with pytest.raises(ProtocolError, match="the digests lack 1 photos that are used, first b"):
        drop_duplicates(
            table[["photo", "subject", "expression"]], table[["photo", "bytes_sha256", "pixels_sha256"]].iloc[:1]
        )


def test_two_rows_of_digests_of_a_photo_are_an_error_that_names_it():
    table = _photos(("a", "s", "sad", 0, "1", "P"), ("a", "s", "sad", 0, "1", "P"))
    with pytest.raises(ProtocolError, match="two rows of a"):
        drop_duplicates(table.iloc[:1], table[["photo", "bytes_sha256", "pixels_sha256"]])


def _textbook_groups(table: pd.DataFrame) -> list[list[str]]:
    """Compare each photo with each other one."""
    groups: dict[str, list[str]] = {}
    for photo in sorted(table["photo"]):
        pixels = table.loc[table["photo"] == photo, "pixels_sha256"].iloc[0]
        same = sorted(table.loc[(table["pixels_sha256"] == pixels) & (pixels != ""), "photo"])
        if len(same) > 1:
            groups[same[0]] = same
    return [groups[first] for first in sorted(groups)]


@st.composite
def _tables(draw) -> pd.DataFrame:
    """Photos of few pictures; as in life the same bytes have the same pixels."""
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from("st"), st.sampled_from(["", "sad", "fear"]), st.integers(0, 1), st.integers(0, 8))
        )
    )
    return _photos(
        *((f"{n:02d}", s, e, f, str(b) if b else "", f"P{b // 2}" if b else "") for n, (s, e, f, b) in enumerate(rows))
    ).sample(frac=1, random_state=0)


@settings(deadline=None)
@given(_tables())
def test_groups_are_those_of_comparing_each_with_each(table):
    found = find_duplicates(table)
    assert [group["photo"].tolist() for _, group in found.groupby("group")] == _textbook_groups(table)


@settings(deadline=None)
@given(_tables())
def test_after_dropping_no_duplicate_is_left_and_no_picture_without_contradiction_is_lost(table):
    kept, dropped = _drop(table)
    assert sorted([*kept["photo"], *dropped["photo"]]) == sorted(table["photo"])
    left = table[table["photo"].isin(kept["photo"])]
    assert find_duplicates(left).empty
    contradict = dropped["is_contradicting_subject"] | dropped["is_contradicting_expression"]
    assert set(dropped.loc[~contradict, "kept"]) <= set(kept["photo"])
    assert (dropped.loc[contradict, "kept"] == "").all()
