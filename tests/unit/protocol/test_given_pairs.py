import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwmtl import tables
from dwmtl.errors import ProtocolError
from dwmtl.params import load_params
from dwmtl.protocol.folds import NO_FOLD
from dwmtl.protocol.given_pairs import check_given_pairs, interleave_pairs
from dwmtl.protocol.official import VALIDATION_FOLD
from dwmtl.protocol.pairs import check_blocks, make_pairs, pairs_by_fold

SHOWN = ("anger", "happiness")
PARAMS = load_params().pairs.model_copy(update={"required_expressions": ["happiness"], "num_blocks": 2})


@pytest.fixture
def labels() -> pd.DataFrame:
    """Two subjects in each of two folds: a neutral photo and a peak of each expression."""
    rows = [
        (f"{subject}/{shown}/{frame}", subject, f"{subject}/{shown}", frame, expression, use, fold)
        for fold, subjects in enumerate((("P1", "P2"), ("P3", "P4")))
        for subject in subjects
        for shown in SHOWN
        for frame, expression, use in ((0, "neutral", "neutral"), (1, shown, "peak"))
    ]
    return pd.DataFrame(rows, columns=list(tables.EXPRESSION_LABELS))


@pytest.fixture
def pairs(labels) -> pd.DataFrame:
    """The pairs that are generated for fold 1, blocked by kind as in the authors' file."""
    generated, _ = make_pairs(labels, 1, required_expressions=["happiness"], references="neutral", num_blocks=2, seed=3)
    ordered = generated.sort_values(["is_same_identity", "is_required_expression"], ascending=False, kind="stable")
    return ordered[list(tables.GIVEN_PAIRS)].reset_index(drop=True)


def test_pairs_are_of_the_fold_whose_subjects_they_name(pairs, labels):
    assert check_given_pairs(pairs, labels) == 1


def test_that_fold_has_the_given_pairs_and_the_others_the_generated_ones(pairs, labels):
    by_fold = pairs_by_fold(labels, pairs, PARAMS, num_folds=2)
    without = pairs_by_fold(labels, pairs[:0], PARAMS, num_folds=2)
    pd.testing.assert_frame_equal(by_fold[0][0], without[0][0])
    of_file, left_out = by_fold[1]
    assert left_out.empty
    assert of_file.columns.tolist() == list(tables.EXPRESSION_PAIRS)
    columns = list(tables.GIVEN_PAIRS)
    pd.testing.assert_frame_equal(
        of_file[columns].sort_values(columns, ignore_index=True), pairs.sort_values(columns, ignore_index=True)
    )
    check_blocks(of_file)


def test_a_neutral_photo_that_lost_its_expression_is_a_neutral_reference_still(pairs, labels):
    labels["expression"] = labels["expression"].mask(labels["use"] == "neutral", "")
    assert check_given_pairs(pairs, labels) == 1


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("input", "P3/fear/1", r"names P3/fear/1, which is not in the labels: index\.num_peak_frames"),
        ("is_same_identity", False, r"has is_same_identity False for P3/.*, the labels have True"),
        ("expression_actual", "anger", r"has expression_actual anger for P3/happiness/1 .* the labels have happiness"),
        ("expression_reference", "anger", r"has expression_reference anger for .*, the labels have neutral"),
        ("expression_required", "surprise", r"requires surprise, but the expression set shows anger, happiness"),
    ],
)
def test_a_pair_that_contradicts_the_labels_is_named(pairs, labels, column, value, message):
    pairs.loc[0, column] = value
    with pytest.raises(ProtocolError, match=message):
        check_given_pairs(pairs, labels)


@pytest.mark.parametrize(
    ("subjects", "fold", "message"),
    [
        (["P4"], 0, r"one fold\. Got fold 0: P4; fold 1: P3\. Set labels\.folds"),
        (["P4"], NO_FOLD, r"Got fold -1: P4; fold 1: P3"),
        (["P3", "P4"], NO_FOLD, r"Got fold -1: P3, P4"),
        (["P3", "P4"], VALIDATION_FOLD, r"Got fold -2: P3, P4.* official, name photos of the official test part"),
    ],
)
def test_pairs_of_no_single_fold_are_told_with_their_subjects(pairs, labels, subjects, fold, message):
    labels.loc[labels["subject"].isin(subjects), "fold"] = fold
    with pytest.raises(ProtocolError, match=message):
        check_given_pairs(pairs, labels)


def test_given_pairs_are_refused_where_the_test_part_names_no_subjects(pairs, labels):
    with pytest.raises(ProtocolError, match=r"names P3/.*, whose subject is unknown\. Remove its pairs"):
        pairs_by_fold(labels.assign(subject="", fold=0), pairs, PARAMS, num_folds=1)


@pytest.mark.parametrize(("is_kept", "lacking"), [(True, "reject"), (False, "accept")])
def test_pairs_that_are_all_to_accept_or_all_to_reject_are_refused(pairs, labels, is_kept, lacking):
    is_to_accept = pairs["is_same_identity"] & pairs["is_required_expression"]
    with pytest.raises(ProtocolError, match=rf"pairs\.file has no pair to {lacking}, .* Add such pairs to the file"):
        check_given_pairs(pairs[is_to_accept == is_kept], labels)


def _blocked(num_genuine: int, num_impostor: int) -> pd.DataFrame:
    """Pairs as in the authors' file: all genuine, then all impostor."""
    kinds = [True] * num_genuine + [False] * num_impostor
    return pd.DataFrame({"input": range(len(kinds)), "is_same_identity": kinds})


@given(st.integers(2, 12), st.integers(0, 40), st.integers(0, 40))
def test_pairs_that_stand_by_kind_are_cut_into_blocks_of_both_kinds(num_blocks, more_genuine, more_impostor):
    pairs = _blocked(num_blocks + more_genuine, num_blocks + more_impostor)
    cut = interleave_pairs(pairs, num_blocks=num_blocks)
    sizes = cut["fold"].value_counts()
    assert sizes.max() - sizes.min() <= 1
    assert sorted(cut["input"]) == pairs["input"].tolist()
    assert all(inputs.is_monotonic_increasing for _, inputs in cut.groupby("is_same_identity")["input"])
    check_blocks(cut)


def test_interleaved_pairs_alternate_where_there_are_as_many_of_each():
    cut = interleave_pairs(_blocked(3, 3), num_blocks=3)
    assert cut["input"].tolist() == [0, 3, 1, 4, 2, 5]
    assert cut["fold"].tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(("num_genuine", "num_impostor"), [(2, 9), (9, 2), (0, 9), (0, 0)])
def test_too_few_pairs_of_a_kind_for_the_blocks_is_an_error_with_the_numbers(num_genuine, num_impostor):
    with pytest.raises(ProtocolError, match=f"{num_genuine} genuine and {num_impostor} impostor pairs .* 3 blocks"):
        interleave_pairs(_blocked(num_genuine, num_impostor), num_blocks=3)
