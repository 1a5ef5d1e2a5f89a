import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwmtl import tables
from dwmtl.errors import ProtocolError
from dwmtl.protocol.folds import assign_folds, split

SUBJECTS = st.sets(st.text(min_size=1, max_size=4), min_size=2, max_size=40)


def _textbook_folds(subjects: set[str], num_folds: int) -> dict[str, int]:
    """Deal the sorted subjects out part by part, the larger parts first."""
    names = sorted(subjects)
    fold_of = {}
    for fold in range(num_folds):
        size = len(subjects) // num_folds + (1 if fold < len(subjects) % num_folds else 0)
        for name in names[:size]:
            fold_of[name] = fold
        names = names[size:]
    return fold_of


@given(SUBJECTS, st.integers(1, 10))
def test_folds_without_a_seed_are_the_sorted_subjects_cut(subjects, num_folds):
    num_folds = min(num_folds, len(subjects))
    folds = assign_folds(subjects, num_folds=num_folds, seed=None)
    assert dict(zip(folds["subject"], folds["fold"], strict=True)) == _textbook_folds(subjects, num_folds)


@given(SUBJECTS, st.integers(1, 10), st.integers(0, 2**32 - 1))
def test_fold_sizes_differ_by_at_most_one_and_every_subject_has_one_fold(subjects, num_folds, seed):
    num_folds = min(num_folds, len(subjects))
    folds = assign_folds(subjects, num_folds=num_folds, seed=seed)
    sizes = folds["fold"].value_counts()
    assert folds["subject"].tolist() == sorted(subjects)
    assert sorted(sizes.index) == list(range(num_folds))
    assert sizes.max() - sizes.min() <= 1


def test_folds_do_not_depend_on_the_order_or_number_of_mentions():
    once = assign_folds(["c", "a", "b"], num_folds=2, seed=5)
    often = assign_folds(["b", "b", "a", "c", "a"], num_folds=2, seed=5)
    pd.testing.assert_frame_equal(once, often)


def test_seed_shuffles_the_subjects():
    subjects = [f"P{number:03d}" for number in range(80)]
    as_sorted, first, again, second = (
        assign_folds(subjects, num_folds=10, seed=seed)["fold"].tolist() for seed in (None, 0, 0, 1)
    )
    assert first == again
    assert first != second
    assert first != as_sorted


def test_table_has_the_columns_of_folds():
    assert tuple(assign_folds(["a", "b"], num_folds=2, seed=None).columns) == tables.FOLDS


def test_more_folds_than_subjects_is_an_error_with_both_numbers_and_the_cure():
    with pytest.raises(ProtocolError, match=r"number of subjects \(3\)\. Got 4 instead\. Lower labels\.num_folds"):
        assign_folds(["a", "b", "c"], num_folds=4, seed=None)


def test_as_many_folds_as_subjects_leaves_one_out_each():
    assert assign_folds(["b", "a"], num_folds=2, seed=None)["fold"].tolist() == [0, 1]


def test_split_tests_the_subjects_of_the_fold_and_trains_on_all_others():
    labels = pd.DataFrame({"subject": ["a", "b", "a", "c"], "fold": [0, 1, 0, 2]})
    train, test = split(labels, 0)
    assert train["subject"].tolist() == ["b", "c"]
    assert test["subject"].tolist() == ["a", "a"]


def test_subject_on_both_sides_of_a_split_is_an_error_that_names_it():
    labels = pd.DataFrame({"subject": ["a", "a", "b"], "fold": [0, 1, 1]})
    with pytest.raises(ProtocolError, match="In fold 0 and in another one: a"):
        split(labels, 0)


def test_split_at_a_fold_of_nobody_is_an_error_that_lists_the_folds():
    with pytest.raises(ProtocolError, match="no subject is in fold 7; there are folds 0, 1"):
        split(pd.DataFrame({"subject": ["a", "b"], "fold": [0, 1]}), 7)
