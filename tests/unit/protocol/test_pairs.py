import itertools

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl import tables
from dwmtl.errors import ProtocolError
from dwmtl.protocol.expressions import label_expressions
from dwmtl.protocol.folds import assign_folds
from dwmtl.protocol.pairs import check_blocks, make_pairs

OULU = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
REQUIRED = ["happiness", "surprise"]


def _sequences(shown: dict[str, tuple[str, ...]], *, num_peaks: int = 3) -> pd.DataFrame:
    """Manifest of one sequence an expression, as in Oulu-CASIA: a neutral frame, then peaks."""
    rows = []
    for subject, expressions in shown.items():
        for expression in expressions:
            sequence = f"{subject}/{expression}"
            rows.append((f"{sequence}/0", subject, sequence, 0, "neutral", "neutral"))
            rows.extend(
                (f"{sequence}/{frame}", subject, sequence, frame, expression, "peak")
                for frame in range(1, num_peaks + 1)
            )
    return pd.DataFrame(rows, columns=list(tables.MANIFEST))


def _in_fold(manifest: pd.DataFrame, fold: int = 0) -> pd.DataFrame:
    return label_expressions(manifest).assign(fold=fold)


def _pairs(labels: pd.DataFrame, fold: int = 0, *, required=REQUIRED, references="neutral", num_blocks=2, seed=0):
    return make_pairs(
        labels, fold, required_expressions=required, references=references, num_blocks=num_blocks, seed=seed
    )


def _persons(pairs: pd.DataFrame, column: str) -> pd.Series:
    return pairs[column].str.split("/").str[0]


@pytest.fixture(scope="module")
def oulu_fold() -> pd.DataFrame:
    """Fold index 4 of Oulu-CASIA: eight test subjects, six sequences each."""
    subjects = ("P018", "P019", "P022", "P030", "P043", "P055", "P069", "P078")
    return _in_fold(_sequences(dict.fromkeys(subjects, OULU)), fold=4)


def test_oulu_fold_gives_96_pairs_of_each_of_the_four_kinds(oulu_fold):
    pairs, left_out = _pairs(oulu_fold, 4, num_blocks=10)
    kinds = pairs.groupby(["is_same_identity", "is_required_expression"]).size()
    assert tuple(pairs.columns) == tables.EXPRESSION_PAIRS
    assert len(pairs) == 384
    assert kinds.tolist() == [96, 96, 96, 96]
    assert left_out.empty


def test_every_neutral_frame_is_the_reference_of_four_pairs_a_required_expression(oulu_fold):
    pairs, _ = _pairs(oulu_fold, 4)
    counts = pairs.groupby(["reference", "expression_required"]).size()
    assert set(pairs["reference"]) == set(oulu_fold.loc[oulu_fold["use"] == "neutral", "photo"])
    assert counts.tolist() == [4] * 96


def test_columns_say_what_the_photos_show(oulu_fold):
    pairs, _ = _pairs(oulu_fold, 4)
    shown = oulu_fold.set_index("photo")["expression"]
    assert (pairs["expression_actual"] == pairs["input"].map(shown)).all()
    assert (pairs["expression_reference"] == "neutral").all()
    assert (pairs["is_required_expression"] == (pairs["expression_actual"] == pairs["expression_required"])).all()
    assert (pairs["is_same_identity"] == (_persons(pairs, "input") == _persons(pairs, "reference"))).all()
    assert "neutral" not in set(pairs["expression_actual"])


def test_no_photo_meets_the_same_reference_twice_where_there_are_enough(oulu_fold):
    pairs, _ = _pairs(oulu_fold, 4)
    assert not pairs.duplicated(["input", "reference"]).any()


def test_no_photo_meets_the_same_reference_twice_where_each_expression_has_one_photo():
    labels = _in_fold(_sequences(dict.fromkeys("abc", ("happiness", "sadness", "surprise", "wink")), num_peaks=1))
    for seed in range(20):
        pairs, _ = _pairs(labels, seed=seed)
        assert not pairs.duplicated(["input", "reference"]).any()


def test_draws_repeat_under_a_seed_and_change_with_it(oulu_fold):
    first, again, other = (_pairs(oulu_fold, 4, seed=seed)[0] for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert (first["input"] != other["input"]).any()


def test_pairs_depend_on_no_row_order_and_on_no_other_fold(oulu_fold):
    others = _in_fold(_sequences({"P001": OULU, "P002": OULU}), fold=0)
    mixed = pd.concat([others, oulu_fold.iloc[::-1]], ignore_index=True)
    pd.testing.assert_frame_equal(_pairs(mixed, 4)[0], _pairs(oulu_fold, 4)[0])


def test_pairs_are_of_the_folds_test_subjects_alone():
    labels = label_expressions(_sequences({f"P{number}": OULU for number in range(8)}))
    labels = labels.merge(assign_folds(labels["subject"], num_folds=2, seed=None), on="subject")
    pairs, _ = _pairs(labels, 1)
    assert set(_persons(pairs, "input")) | set(_persons(pairs, "reference")) == {"P4", "P5", "P6", "P7"}


def test_other_persons_and_expressions_are_drawn_with_equal_chances():
    """A person with a hundred photos is drawn no more often than one with one; so with an expression."""
    crowded = _sequences({"b": ("happiness", "anger")}, num_peaks=1)
    many = _sequences({"c": ("happiness", "anger")}, num_peaks=50)
    references = _sequences({"a": tuple(f"e{number}" for number in range(400))}, num_peaks=1)
    own = _sequences({"a": ("happiness",)}, num_peaks=1)
    labels = _in_fold(pd.concat([references, own, crowded, many]).drop_duplicates("photo"))
    pairs, _ = _pairs(labels, required=["happiness"])
    of_a = pairs[(_persons(pairs, "reference") == "a") & ~pairs["is_same_identity"] & pairs["is_required_expression"]]
    share = (_persons(of_a, "input") == "b").mean()
    assert len(of_a) == 401
    assert 0.4 < share < 0.6


def test_sequence_with_several_neutral_frames_has_its_first_one_as_reference():
    manifest = _sequences(dict.fromkeys("ab", ("happiness", "surprise")))
    manifest.loc[manifest["frame"] == 1, "use"] = "neutral"
    pairs, _ = _pairs(_in_fold(manifest))
    assert all(reference.endswith("/0") for reference in pairs["reference"])


def test_one_neutral_photo_a_subject_is_its_one_reference():
    """As in Yale, where a subject is one sequence."""
    rows = [
        (f"subject{subject}.{name}", f"subject{subject}", f"subject{subject}", 0, name, use)
        for subject in range(3)
        for name, use in (("normal", "neutral"), ("happy", "peak"), ("sad", "peak"), ("surprised", "peak"))
    ]
    labels = _in_fold(pd.DataFrame(rows, columns=list(tables.MANIFEST)))
    pairs, _ = _pairs(labels, required=["happy", "surprised"], num_blocks=10)
    assert len(pairs) == 3 * 2 * 4
    assert set(pairs["reference"]) == {f"subject{subject}.normal" for subject in range(3)}


def test_neutral_photos_of_no_sequence_are_a_reference_each():
    rows = [
        (f"{subject}{name}", subject, "", 0, name, use)
        for subject in "ab"
        for name, use in (("n1", "neutral"), ("n2", "neutral"), ("happiness", "peak"), ("surprise", "peak"))
    ]
    pairs, _ = _pairs(_in_fold(pd.DataFrame(rows, columns=list(tables.MANIFEST))))
    assert set(pairs["reference"]) == {"an1", "an2", "bn1", "bn2"}


def test_photos_without_an_expression_are_in_no_pair(oulu_fold):
    extra = pd.DataFrame([("P018/wink", "P018", "P018", 0, "", "train", 4)], columns=list(oulu_fold.columns))
    pairs, _ = _pairs(pd.concat([oulu_fold, extra]), 4)
    assert "P018/wink" not in set(pairs["input"]) | set(pairs["reference"])


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 5), st.integers(2, 12), st.integers(0, 5))
def test_each_block_holds_genuine_and_impostor_pairs_and_sizes_differ_by_at_most_one(num_subjects, num_blocks, seed):
    labels = _in_fold(_sequences(dict.fromkeys("abcde"[:num_subjects], ("happiness", "surprise"))))
    pairs, _ = _pairs(labels, num_blocks=num_blocks, seed=seed)
    sizes = pairs["fold"].value_counts()
    assert pairs["fold"].is_monotonic_increasing
    assert sorted(sizes.index) == list(range(num_blocks))
    assert sizes.max() - sizes.min() <= 1
    check_blocks(pairs)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.sets(st.sampled_from(OULU), min_size=1), min_size=2, max_size=6),
    st.integers(1, 2),
    st.integers(0, 3),
)
def test_every_reference_and_required_expression_is_paired_or_listed(shown, num_peaks, seed):
    named = {f"P{number}": tuple(sorted(expressions)) for number, expressions in enumerate(shown)}
    named["P"] = ("anger", *REQUIRED)
    named["Q"] = ("fear", *REQUIRED)
    labels = _in_fold(_sequences(named, num_peaks=num_peaks))
    pairs, left_out = _pairs(labels, seed=seed)
    paired = set(zip(pairs["reference"], pairs["expression_required"], strict=True))
    listed = set(zip(left_out["reference"], left_out["expression_required"], strict=True))
    references = labels.loc[labels["use"] == "neutral", "photo"]
    assert paired | listed == set(itertools.product(references, REQUIRED))
    assert not paired & listed
    assert len(pairs) == 4 * len(paired)


def test_subject_with_one_expression_is_listed_with_the_reason():
    labels = _in_fold(_sequences({"a": OULU, "b": OULU, "solo": ("happiness",)}))
    pairs, left_out = _pairs(labels)
    assert "solo" not in set(_persons(pairs, "reference"))
    assert left_out.to_dict("records") == [
        {
            "fold": 0,
            "subject": "solo",
            "reference": "solo/happiness/0",
            "expression_required": required,
            "reason": reason,
        }
        for required, reason in (
            ("happiness", "the subject shows no other expression"),
            ("surprise", "the subject never shows it"),
        )
    ]


def test_subject_without_a_neutral_photo_is_listed_with_the_reason():
    labels = _in_fold(_sequences(dict.fromkeys("abc", OULU)))
    _, left_out = _pairs(labels[(labels["subject"] != "b") | (labels["use"] != "neutral")])
    assert left_out["subject"].tolist() == ["b", "b"]
    assert set(left_out["reason"]) == {"the subject has no neutral photo"}
    assert set(left_out["reference"]) == {""}


def test_too_few_pairs_is_an_error_with_both_numbers_and_the_cure():
    labels = _in_fold(_sequences(dict.fromkeys("ab", ("happiness", "anger"))))
    with pytest.raises(
        ProtocolError,
        match=r"fold 0 give 16 pairs, and pairs\.num_blocks \(9\) needs 18.*Lower pairs\.num_blocks, or lower "
        r"labels\.num_folds",
    ):
        _pairs(labels, required=["happiness"], num_blocks=9)


def test_fold_of_subjects_with_one_expression_is_an_error_that_names_them():
    others = _in_fold(_sequences({"x": OULU}), fold=1)
    labels = pd.concat([_in_fold(_sequences({"a": ("happiness",), "b": ("anger",)})), others])
    listed = (
        "a with happiness, as the subject shows no other expression; a with surprise, as the subject never shows it"
    )
    with pytest.raises(ProtocolError, match=f"give 0 pairs, .* Left out: {listed}"):
        _pairs(labels)


def test_required_expression_missing_from_the_set_is_an_error_that_lists_what_there_is():
    labels = _in_fold(_sequences(dict.fromkeys("ab", ("anger", "happiness"))))
    with pytest.raises(ProtocolError, match=r"lists happiness, joy\. The sets show anger, happiness: list some"):
        _pairs(labels, required=["happiness", "joy"])


@pytest.mark.parametrize("required", [["neutral"], ["happiness", "happiness"]])
def test_required_expression_that_is_neutral_or_named_twice_is_an_error(required):
    with pytest.raises(ProtocolError, match=r"pairs\.required_expressions lists .* each once"):
        _pairs(_in_fold(_sequences(dict.fromkeys("ab", OULU))), required=required)


def test_fold_with_one_test_subject_is_an_error_that_names_it():
    with pytest.raises(ProtocolError, match="fold 0 has one test subject, a, and impostor pairs need two"):
        _pairs(_in_fold(_sequences({"a": OULU})))


def test_set_without_a_neutral_photo_is_an_error():
    labels = _in_fold(_sequences(dict.fromkeys("ab", OULU)))
    with pytest.raises(ProtocolError, match="no photo of the expression set is neutral"):
        _pairs(labels[labels["use"] == "peak"])


@pytest.mark.parametrize(("kind", "missing"), [(True, "impostor"), (False, "genuine")])
def test_block_of_one_kind_is_an_error_that_names_block_and_kind(kind, missing):
    pairs = pd.DataFrame({"is_same_identity": [True, False, kind, kind], "fold": [0, 0, 1, 1]})
    with pytest.raises(ProtocolError, match=f"block 1 of the pairs of sets.verification has no {missing} pair"):
        check_blocks(pairs)


def test_one_block_cannot_be_cross_validated():
    with pytest.raises(ProtocolError, match=r"in >= 2 blocks\. Got 1 instead"):
        check_blocks(pd.DataFrame({"is_same_identity": [True, False], "fold": [0, 0]}))


@pytest.mark.parametrize("num_required", [1, 3, 6])
def test_any_number_of_expressions_may_be_required(oulu_fold, num_required):
    pairs, _ = _pairs(oulu_fold, 4, required=list(OULU[:num_required]))
    assert len(pairs) == 48 * num_required * 4


def test_all_photos_as_references_are_the_neutral_ones_and_the_peaks(oulu_fold):
    pairs, left_out = _pairs(oulu_fold, 4, references="all")
    shown = oulu_fold.set_index("photo")["expression"]
    assert set(pairs["reference"]) == set(oulu_fold["photo"])
    assert (pairs["expression_reference"] == pairs["reference"].map(shown)).all()
    assert len(pairs) == len(oulu_fold) * 2 * 4
    assert left_out.empty


def test_no_photo_is_paired_with_itself(oulu_fold):
    pairs, _ = _pairs(oulu_fold, 4, references="all")
    assert (pairs["input"] != pairs["reference"]).all()


def test_set_without_a_neutral_photo_is_paired_if_all_are_references():
    labels = _in_fold(_sequences(dict.fromkeys("ab", OULU)))
    pairs, left_out = _pairs(labels[labels["use"] == "peak"], references="all")
    assert "neutral" not in set(pairs["expression_reference"])
    assert left_out.empty


def test_reference_that_alone_shows_the_required_expression_is_listed_with_the_reason():
    labels = _in_fold(_sequences(dict.fromkeys("ab", ("happiness", "anger")), num_peaks=1))
    pairs, left_out = _pairs(labels, required=["happiness"], references="all")
    reasons = dict(zip(left_out["reference"], left_out["reason"], strict=True))
    assert reasons == {
        "a/happiness/1": "the subject never shows it outside the reference",
        "a/anger/1": "the subject shows no other expression outside the reference",
        "b/happiness/1": "the subject never shows it outside the reference",
        "b/anger/1": "the subject shows no other expression outside the reference",
    }
    assert set(pairs["reference"]) == {"a/happiness/0", "a/anger/0", "b/happiness/0", "b/anger/0"}
