"""Official parts as folds, the share that chooses the best epoch, and copies of a picture in two parts."""

import pandas as pd
import pytest

from dwmtl.errors import ProtocolError
from dwmtl.protocol.duplicates import drop_copies_across_parts
from dwmtl.protocol.folds import NO_FOLD
from dwmtl.protocol.labels import make_labels
from dwmtl.protocol.official import TEST_FOLD, VALIDATION_FOLD, is_held_out, official_folds, subject_folds
from dwmtl.protocol.pairs import pairs_by_fold
from dwmtl.protocol.params import LabelsParams, PairsParams
from dwmtl.tables import DUPLICATES, EXPRESSION_PAIRS, MANIFEST

OFFICIAL = LabelsParams(protocol="official")


def photos(*parts: str, subjects: list[str] | None = None) -> pd.DataFrame:
    """A photo `s/<number>` in each of the parts, neutral and happy in turn."""
    numbers = range(len(parts))
    expressions = [("neutral", "happiness")[number % 2] for number in numbers]
    table = pd.DataFrame({"photo": [f"s/{number}" for number in numbers], "sequence": "", "frame": 0})
    table["subject"] = subjects or ""
    table["use"] = [("neutral", "peak")[number % 2] for number in numbers]
    return table.assign(expression=expressions, part=list(parts))[[*MANIFEST, "part"]]


def facts(pictures: str, photos: pd.DataFrame) -> pd.DataFrame:
    """Digests: photos with the same letter are the same picture."""
    digests = pd.DataFrame({"photo": photos["photo"], "bytes_sha256": list(pictures), "pixels_sha256": list(pictures)})
    return digests.assign(width_px=9, height_px=9)


def labelled(table: pd.DataFrame, pictures: str, params: LabelsParams = OFFICIAL):
    identity = pd.DataFrame(
        [(f"i/{person}{number}", person, "", 0, "", "train") for person in "ab" for number in "12"],
        columns=list(MANIFEST),
    )
    return make_labels(
        table, identity, {"expression": facts(pictures, table), "identity": facts("wxyz", identity)}, params
    )


def test_a_part_is_a_fold_and_a_photo_without_one_is_trained_on():
    folds = official_folds(photos("train", "train", "test", "test", "validation", ""))
    assert folds.tolist() == [NO_FOLD, NO_FOLD, TEST_FOLD, TEST_FOLD, VALIDATION_FOLD, NO_FOLD]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (photos("train", "test").drop(columns="part"), "no set of the role expression has a column part. Use raf_db"),
        (photos("train", "Test"), "part must be train, validation, test or empty. Got 'Test' for s/1"),
        (photos("train", "train"), "the official test part has no photo with an expression"),
        (photos("validation", "test"), "the official training part has no photo with an expression"),
        (
            photos("train", "train", "test", subjects=["s/Ann", "s/Bob", "s/Ann"]),
            "1 subjects are in two official parts, first s/Ann: .* leave the column subject empty",
        ),
    ],
)
def test_parts_that_are_no_split_are_refused(table, message):
    with pytest.raises(ProtocolError, match=message):
        official_folds(table)


def test_the_official_validation_part_chooses_the_best_epoch_whatever_the_share():
    labels = photos("train", "validation", "test").assign(fold=[NO_FOLD, VALIDATION_FOLD, TEST_FOLD])
    for fraction in (0.0, 0.4):
        assert is_held_out(labels, fraction, seed=0).tolist() == [False, True, False]


def test_a_share_of_the_training_photos_is_drawn_by_a_seed_whatever_their_order():
    labels = photos(*["train"] * 20, "test").assign(fold=[NO_FOLD] * 20 + [TEST_FOLD])
    drawn = labels["photo"][is_held_out(labels, 0.2, seed=3)]
    assert len(drawn) == 4
    assert "s/20" not in set(drawn)
    other_way = labels[::-1]
    assert set(other_way["photo"][is_held_out(other_way, 0.2, seed=3)]) == set(drawn)
    assert set(labels["photo"][is_held_out(labels, 0.2, seed=4)]) != set(drawn)
    assert is_held_out(labels, 0.001, seed=3).sum() == 1
    assert not is_held_out(labels, 0.0, seed=3).any()


def test_a_share_holds_out_whole_subjects():
    subjects = [f"s/{number % 4}" for number in range(12)] + [""]
    labels = photos(*["train"] * 12, "test", subjects=subjects).assign(fold=[NO_FOLD] * 12 + [TEST_FOLD])
    held_out = is_held_out(labels, 0.49, seed=0)
    assert held_out.sum() == 6
    assert not set(labels["subject"][held_out]) & set(labels["subject"][~held_out])


def test_the_test_part_keeps_every_photo_and_others_lose_their_copies_of_it():
    """By picture: a train, validation and test; b train and validation; c train twice; d test twice."""
    parts = ["train", "validation", "test", "train", "validation", "train", "train", "test", "test", "train"]
    table = photos(*parts).assign(fold=official_folds(photos(*parts)))
    kept, dropped = drop_copies_across_parts(table, facts("aaabbccdde", table))
    assert dropped[["photo", "kept"]].to_numpy().tolist() == [["s/0", "s/2"], ["s/1", "s/2"], ["s/3", "s/4"]]
    assert dropped["is_contradicting_expression"].tolist() == [True, True, True]
    assert kept["photo"].tolist() == ["s/2", "s/4", "s/5", "s/6", "s/7", "s/8", "s/9"]


def test_labels_by_official_parts_need_no_subject_and_list_what_was_dropped():
    table = photos("train", "train", "train", "train", "test", "test", "test")
    labels = labelled(table, "aabcccd")
    assert labels.expression.set_index("photo")["fold"].to_dict() == dict(
        zip(["s/0", "s/1", "s/2", "s/4", "s/5", "s/6"], [-1, -1, -1, 0, 0, 0], strict=True)
    )
    assert labels.dropped["expression"]["photo"].tolist() == ["s/3"]
    assert labels.folds.empty
    assert not labels.duplicates["is_across_folds"].any()
    assert list(labels.duplicates) == list(DUPLICATES)
    assert "1 duplicates of the expression set are dropped; out lists them." in labels.warnings("out")


def test_duplicates_that_are_dropped_leave_the_official_test_part_whole():
    table = photos("train", "test", "train", "test", "train", "test")
    labels = labelled(table, "abacdb", LabelsParams(protocol="official", drop_duplicates=True))
    assert labels.expression["photo"].tolist() == ["s/0", "s/1", "s/3", "s/4", "s/5"]
    assert labels.dropped["expression"]["photo"].tolist() == ["s/2"]


def test_the_known_subjects_of_the_test_part_are_in_its_fold():
    table = photos("train", "test", "test", subjects=["s/Ann", "s/Bob", "s/Bob"])
    assert subject_folds(table.assign(fold=official_folds(table))).to_numpy().tolist() == [["s/Bob", 0]]


def test_a_test_part_without_subjects_has_no_pairs():
    table = photos("train", "test").assign(fold=[NO_FOLD, TEST_FOLD])
    ((pairs, left_out),) = pairs_by_fold(table, pd.DataFrame(), PairsParams(), num_folds=1)
    assert list(pairs) == list(EXPRESSION_PAIRS)
    assert pairs.empty
    assert left_out.empty


def test_a_test_part_with_subjects_has_pairs_of_them():
    subjects = ["s/Ann", "s/Bob", *["s/Cid", "s/Dan"] * 3]
    table = photos(*["train"] * 2, *["test"] * 6, subjects=subjects)
    shown = ["neutral", "happiness", "neutral", "neutral", "happiness", "happiness", "anger", "anger"]
    uses = ["neutral" if name == "neutral" else "peak" for name in shown]
    table = table.assign(fold=[NO_FOLD] * 2 + [TEST_FOLD] * 6, expression=shown, use=uses)
    params = PairsParams(required_expressions=["happiness"], num_blocks=2)
    ((pairs, _),) = pairs_by_fold(table, pd.DataFrame(), params, num_folds=1)
    assert len(pairs) == 8
    assert {*pairs["input"], *pairs["reference"]} <= set(table["photo"][2:])
