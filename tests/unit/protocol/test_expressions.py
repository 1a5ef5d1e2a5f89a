import pandas as pd
import pytest

from dwmtl import tables
from dwmtl.errors import ProtocolError
from dwmtl.protocol.expressions import expression_classes, label_expressions, limit_neutral


def _manifest(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    """Rows of (photo, subject, expression, use)."""
    return pd.DataFrame(
        [(photo, subject, photo, 0, expression, use) for photo, subject, expression, use in rows],
        columns=list(tables.MANIFEST),
    )


def test_unused_photos_are_dropped_and_the_others_keep_their_order():
    labels = label_expressions(
        _manifest(("b", "s", "anger", "peak"), ("c", "s", "anger", "unused"), ("a", "s", "", "neutral"))
    )
    assert labels["photo"].tolist() == ["b", "a"]
    assert tuple(labels.columns) == tables.MANIFEST


def test_neutral_frame_is_labelled_neutral_whatever_its_sequence_shows():
    labels = label_expressions(_manifest(("0", "s", "anger", "neutral"), ("9", "s", "anger", "peak")))
    assert labels["expression"].tolist() == ["neutral", "anger"]


def test_photo_of_use_train_stays_without_an_expression():
    labels = label_expressions(_manifest(("1", "s", "sad", "peak"), ("2", "s", "wink", "train")))
    assert labels["expression"].tolist() == ["sad", ""]
    assert labels["use"].tolist() == ["peak", "train"]


def test_subject_without_a_label_is_an_error_that_names_it():
    with pytest.raises(ProtocolError, match=r"no photo of s2, s3 shows an expression\. Label one, or take"):
        label_expressions(
            _manifest(
                ("1", "s1", "sad", "peak"),
                ("2", "s2", "", "train"),
                ("3", "s3", "", "train"),
            )
        )


def test_subject_whose_photos_are_all_unused_is_left_out():
    labels = label_expressions(_manifest(("1", "s1", "sad", "peak"), ("2", "s2", "", "unused")))
    assert set(labels["subject"]) == {"s1"}


def test_subject_with_one_expression_is_labelled_like_any_other():
    labels = label_expressions(_manifest(("1", "s1", "sad", "peak"), ("2", "s2", "sad", "peak")))
    assert labels["expression"].tolist() == ["sad", "sad"]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (("set/x.png", "s", "", "peak"), "have the use peak and no expression"),
        (("set/x.png", "s", "neutral", "peak"), "have the use peak and the expression neutral"),
        (("set/x.png", "", "sad", "peak"), "have no subject"),
    ],
)
def test_photo_that_contradicts_its_use_is_an_error_that_names_it(row, fault):
    with pytest.raises(ProtocolError, match=rf"1 photos of the expression set {fault}, first set/x\.png"):
        label_expressions(_manifest(("set/a", "s", "anger", "peak"), row))


LABELS = pd.DataFrame({"expression": ["surprise", "neutral", "anger", "", "surprise"]})


def test_classes_are_sorted_and_hold_neutral_where_it_is_one():
    assert expression_classes(LABELS, has_neutral=True) == ["anger", "neutral", "surprise"]


def test_classes_lack_neutral_where_it_is_none():
    assert expression_classes(LABELS, has_neutral=False) == ["anger", "surprise"]


def test_neutral_class_without_a_neutral_photo_is_an_error_with_the_cure():
    labels = pd.DataFrame({"expression": ["sad", "anger"]})
    with pytest.raises(ProtocolError, match=r"There are: anger, sad\. Set labels\.has_neutral to false"):
        expression_classes(labels, has_neutral=True)


@pytest.mark.parametrize(("expressions", "got"), [(["sad", "neutral"], "sad"), (["neutral"], "none")])
def test_fewer_than_two_classes_is_an_error_that_lists_them(expressions, got):
    with pytest.raises(ProtocolError, match=f">= 2 expression classes. Got {got} instead"):
        expression_classes(pd.DataFrame({"expression": expressions}), has_neutral=False)


def test_a_set_that_names_nobody_is_labelled_beside_one_that_does():
    labels = label_expressions(_manifest(("a/1", "a/s", "sad", "peak"), ("b/1", "", "anger", "peak")))
    assert labels["expression"].tolist() == ["sad", "anger"]
    assert labels["subject"].tolist() == ["a/s", ""]


def test_no_set_that_names_anybody_is_an_error():
    with pytest.raises(ProtocolError, match="no set of the role expression names its subjects"):
        label_expressions(_manifest(("b/1", "", "anger", "peak"), ("b/2", "", "sad", "peak")))


def _with_neutral(**num_neutral: int) -> pd.DataFrame:
    """Labels with so many neutral photos of each subject, and a peak."""
    rows = [(f"{s}/{n}", s, "", "neutral") for s, count in num_neutral.items() for n in range(count)]
    return label_expressions(_manifest(*rows, *((f"{s}/peak", s, "sad", "peak") for s in num_neutral)))


def test_subject_has_at_most_so_many_photos_of_class_neutral():
    limited = limit_neutral(_with_neutral(a=6, b=2, c=0), max_per_subject=3, seed=0)
    counts = limited[limited["expression"] == "neutral"].groupby("subject").size()
    assert counts.to_dict() == {"a": 3, "b": 2}


def test_neutral_photo_over_the_limit_keeps_its_use_and_place_and_loses_its_expression():
    labels = _with_neutral(a=6)
    limited = limit_neutral(labels, max_per_subject=1, seed=0)
    pd.testing.assert_frame_equal(limited.drop(columns="expression"), labels.drop(columns="expression"))
    assert sorted(limited["expression"]) == ["", "", "", "", "", "neutral", "sad"]


def test_limit_above_all_counts_changes_nothing():
    labels = _with_neutral(a=6, b=2)
    pd.testing.assert_frame_equal(limit_neutral(labels, max_per_subject=6, seed=0), labels)


def test_neutral_photos_are_drawn_by_seed_and_not_by_the_order_of_rows():
    labels = _with_neutral(a=40)
    first, shuffled, other = (
        set(limited.loc[limited["expression"] == "neutral", "photo"])
        for limited in (
            limit_neutral(labels, max_per_subject=20, seed=0),
            limit_neutral(labels.sample(frac=1, random_state=1), max_per_subject=20, seed=0),
            limit_neutral(labels, max_per_subject=20, seed=1),
        )
    )
    assert first == shuffled
    assert first != other


def test_neutral_photos_of_nobody_known_are_not_limited():
    nobody = [(f"fer/{number}", "", "", "neutral") for number in range(5)]
    labels = label_expressions(_manifest(("a/1", "a/s", "sad", "peak"), ("a/2", "a/s", "", "neutral"), *nobody))
    limited = limit_neutral(labels, max_per_subject=1, seed=0)
    assert (limited["expression"] == "neutral").sum() == 6
