import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl import tables
from dwmtl.errors import ProtocolError
from dwmtl.protocol.folds import NO_FOLD, assign_folds, split, validation_subjects, with_set_names

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
def test_folds_of_one_set_without_a_seed_are_the_sorted_subjects_cut(subjects, num_folds):
    subjects = {f"set/{name}" for name in subjects}
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


AUTHORS_FOLD_4 = ["P018", "P019", "P022", "P030", "P043", "P055", "P069", "P078"]


def test_the_authors_fold_is_taken_and_the_other_subjects_are_cut_into_the_other_folds():
    subjects = [f"P{number:03d}" for number in range(1, 81)]
    folds = assign_folds(subjects, num_folds=10, seed=None, given={4: AUTHORS_FOLD_4})
    others = [subject for subject in subjects if subject not in AUTHORS_FOLD_4]
    expected = {subject: place // 8 + (place // 8 >= 4) for place, subject in enumerate(others)}
    assert folds.loc[folds["fold"] == 4, "subject"].tolist() == AUTHORS_FOLD_4
    assert dict(folds[folds["fold"] != 4].itertuples(index=False)) == expected


@settings(deadline=None)
@given(SUBJECTS, st.integers(1, 5), st.booleans(), st.data())
def test_given_folds_are_kept_and_every_subject_has_one_fold(subjects, num_folds, stratify, data):
    names = sorted(subjects)
    num_folds = min(num_folds, len(names))
    whole = assign_folds(names, num_folds=num_folds, seed=data.draw(st.integers(0, 9)))
    listed = data.draw(st.sets(st.integers(0, num_folds - 1)))
    given_folds = {fold: whole.loc[whole["fold"] == fold, "subject"].tolist() for fold in listed}
    expressions = [str(number % 3) for number in range(len(names))] if stratify else None
    folds = assign_folds(names, num_folds=num_folds, seed=None, given=given_folds, expressions=expressions)
    assert folds["subject"].tolist() == names
    assert set(folds["fold"]) == set(range(num_folds))
    for fold, members in given_folds.items():
        assert folds.loc[folds["fold"] == fold, "subject"].tolist() == members


@pytest.mark.parametrize(
    ("given_folds", "message"),
    [
        ({3: ["a"]}, r"must list folds from 0 to 2\. Got fold 3"),
        ({-1: ["a"]}, r"must list folds from 0 to 2\. Got fold -1"),
        ({0: []}, "must list a subject for each of its folds. Got none for fold 0"),
        ({0: ["x", "a"]}, "must list subjects of the expression set. Got x in fold 0; the set has a, b, c, d"),
        ({0: ["a"], 1: ["a"]}, "must list a subject once. Got a in fold 0 and in 1"),
        ({0: ["a", "a"]}, "must list a subject once. Got a in fold 0 and in 0"),
        ({0: ["a"], 1: ["b"], 2: ["c"]}, "lists every fold, but not d"),
        ({0: ["a", "b", "c"]}, r"leaves 1 subjects for the 2 folds that it does not list \(1, 2\)"),
    ],
)
def test_given_folds_that_cannot_be_are_named(given_folds, message):
    with pytest.raises(ProtocolError, match=rf"labels\.folds {message}"):
        assign_folds("abcd", num_folds=3, seed=None, given=given_folds)


def _spread(labels: pd.DataFrame, folds: pd.DataFrame) -> float:
    """Mean over expressions of the deviation of the folds' shares of its photos."""
    counts = labels.merge(folds, on="subject").groupby(["expression", "fold"]).size().unstack(fill_value=0)
    counts = counts.reindex(columns=sorted(set(folds["fold"])), fill_value=0)
    return counts.div(counts.sum(axis=1), axis=0).std(axis=1).mean()


@st.composite
def _labels(draw) -> pd.DataFrame:
    shown = draw(st.lists(st.lists(st.sampled_from(["anger", "fear", ""]), min_size=1, max_size=6), min_size=3))
    rows = [(f"s{number:02d}", expression) for number, shows in enumerate(shown) for expression in shows]
    return pd.DataFrame(rows, columns=["subject", "expression"])


@settings(deadline=None)
@given(_labels(), st.integers(2, 3), st.none() | st.integers(0, 9))
def test_stratified_folds_hold_each_subject_once_and_none_is_empty(labels, num_folds, seed):
    options = {"num_folds": num_folds, "seed": seed}
    folds = assign_folds(labels["subject"], expressions=labels["expression"], **options)
    shuffled = labels.sample(frac=1, random_state=0)
    assert folds["subject"].tolist() == sorted(set(labels["subject"]))
    assert set(folds["fold"]) == set(range(num_folds))
    pd.testing.assert_frame_equal(
        folds, assign_folds(shuffled["subject"], expressions=shuffled["expression"], **options)
    )


def test_stratified_folds_are_more_even_than_the_sorted_subjects_cut():
    """The first half of the subjects shows anger alone, as sorted."""
    rows = [(f"s{number:02d}", "anger" if number < 10 else "fear") for number in range(20) for _ in range(3)]
    labels = pd.DataFrame(rows, columns=["subject", "expression"])
    as_sorted = assign_folds(labels["subject"], num_folds=5, seed=None)
    dealt = assign_folds(labels["subject"], num_folds=5, seed=None, expressions=labels["expression"])
    assert _spread(labels, dealt) == 0
    assert _spread(labels, as_sorted) > 0.1


def test_seed_changes_stratified_folds():
    subjects = [f"s{number:02d}" for number in range(20)]
    first, second = (
        assign_folds(subjects, num_folds=5, seed=seed, expressions=["anger"] * 20)["fold"].tolist() for seed in (0, 1)
    )
    assert first != second


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


def test_every_fold_holds_its_share_of_each_joined_set():
    subjects = [f"oulu/{number:02d}" for number in range(12)] + [f"yale/{number:02d}" for number in range(6)]
    folds = assign_folds(subjects, num_folds=3, seed=None)
    counts = folds.groupby([folds["subject"].str.partition("/")[0], "fold"]).size()
    assert counts.to_dict() == {**{("oulu", fold): 4 for fold in range(3)}, **{("yale", fold): 2 for fold in range(3)}}


def test_subjects_of_a_given_split_are_found_by_their_sets_names():
    subjects = {"oulu/P1", "oulu/P2", "yale/P2"}
    given = {0: ["P1", "expression/P1", "P2"], 1: ["oulu/P2"]}
    assert with_set_names(given, subjects) == {0: ["oulu/P1", "oulu/P1", "P2"], 1: ["oulu/P2"]}


def test_validation_subjects_come_from_the_folds_after_the_tested_one():
    labels = pd.DataFrame([(f"S{number}", number // 4) for number in range(12)], columns=["subject", "fold"])
    assert validation_subjects(labels, 0, fraction=0.25) == ["S4", "S5"]
    assert validation_subjects(labels, 2, fraction=0.25) == ["S0", "S1"]
    assert validation_subjects(labels, 1, fraction=0.49) == ["S10", "S11", "S8", "S9"]
    assert validation_subjects(labels, 1, fraction=0.0) == []
    assert validation_subjects(labels, 1, fraction=0.01) == ["S10"]


def test_nobody_without_a_name_or_a_fold_validates():
    labels = pd.DataFrame({"subject": ["", "A", "B", "C"], "fold": [1, NO_FOLD, 0, 1]})
    assert validation_subjects(labels, 0, fraction=0.4) == ["C"]
