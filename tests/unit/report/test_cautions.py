"""On folds that hold only what a caution reads."""

from types import SimpleNamespace

import pandas as pd
import pytest

from dwmtl.params import load_params
from dwmtl.report.cautions import card_cautions, cautions
from dwmtl.report.summary import Score
from dwmtl.scores.headlines import COMPARED
from dwmtl.scores.metrics import CropCounts
from dwmtl.tables import DUPLICATES

SUBJECTS = pd.DataFrame({"subject": ["a", "b", "c"], "fold": [0, 0, 1]})
NARROW = (0.70, 0.75)


def fold(num_photos: int = 500, num_pairs: int = 6000, num_fallbacks: int = 0, **unseen_classes) -> SimpleNamespace:
    return SimpleNamespace(
        number=3,
        training=SimpleNamespace(unseen_classes=unseen_classes),
        metrics=SimpleNamespace(
            expression=SimpleNamespace(num_photos=num_photos),
            verification=SimpleNamespace(num_pairs=num_pairs),
            num_fallback_crops=CropCounts(expression=0, verification=num_fallbacks),
        ),
    )


def told(
    folds=None, *, duplicates: list[dict] | None = None, drop: bool = False, drawn=(), train=(), **intervals
) -> str:
    """All cautions as one text, of a run of all folds."""
    params = load_params()
    params = params.model_copy(update={"train": params.train.model_copy(update=dict(train))})
    labels = params.labels.model_copy(update={"num_folds": 2, "drop_duplicates": drop})
    ends_of = {headline.key: NARROW for headline in COMPARED} | intervals
    scores = {key: Score(mean=0.7, std=0, per_fold=[0.7, 0.7], interval=ends) for key, ends in ends_of.items()}
    return "\n".join(
        cautions(
            folds or [fold(), fold()],
            SimpleNamespace(scores=scores),
            params.model_copy(update={"labels": labels}),
            drawn=list(drawn),
            subjects=SUBJECTS,
            duplicates=pd.DataFrame(duplicates or [], columns=list(DUPLICATES)),
        )
    )


def test_a_large_and_clean_run_has_one_caution():
    assert told() == "3 subjects in the expression set; deviations are over folds of one training seed each."


def test_drawn_sets_are_named():
    assert "Drawn by this project, no photographs: verification, identity set." in told(
        drawn=["verification", "identity"]
    )


def test_a_drawn_identity_set_that_nothing_is_trained_on_is_not_named():
    imported = {"start": "mobilefacenet"}
    assert "Drawn by this project" not in told(drawn=["identity"], train=imported)
    assert "identity set" in told(drawn=["identity"], train=imported | {"sets": ["expression", "identity"]})


def test_folds_that_were_not_run_are_told():
    assert "1 of 2 folds were run" in told([fold()])


def test_a_class_that_a_fold_never_trains_is_told():
    text = told([fold(expression=["contempt", "fear"], glasses=["off"]), fold()])
    assert "Fold 3 is trained on no photo of contempt, fear: it cannot predict it" in text
    assert "Fold 3 is trained on no photo of off (glasses): it cannot" in text


def test_small_sets_are_told():
    text = told([fold(num_photos=20, num_pairs=100)] * 2)
    assert "Only 40 test photos with an expression: one photo is 2.5 points." in text
    assert "has 100 pairs" in text


def test_a_wide_interval_is_told_in_points():
    text = told(expression_accuracy=(0.5, 0.72), verification_accuracy=None)
    assert "Wide intervals, in points: expression accuracy 22." in text


def test_photos_without_a_face_are_counted():
    assert "no face was found in 3 of the evaluated photos" in told([fold(), fold(num_fallbacks=3)])


@pytest.mark.parametrize("drop", [False, True])
def test_duplicates_are_counted_by_what_is_wrong_with_them(drop):
    faults = {"is_across_folds": True, "is_contradicting_subject": False, "is_contradicting_expression": True}
    harmless = dict.fromkeys(faults, False)
    rows = [{"group": group, **flags} for group, flags in ((0, faults), (0, faults), (1, harmless), (1, harmless))]
    text = told(duplicates=rows, drop=drop)
    assert "2 pictures are in the expression set more than once" in text
    assert "1 in several folds (tested, and trained on elsewhere), 1 under two expressions." in text
    assert ("labels.drop_duplicates takes them out" in text) != drop


def test_a_caution_of_several_cards_is_told_once():
    cards = {"one": SimpleNamespace(cautions=["same", "own"]), "two": SimpleNamespace(cautions=["same"])}
    assert card_cautions(cards) == [("one, two", "same"), ("one", "own")]
