import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score

from dwmtl.scores.authentication import authenticate
from dwmtl.scores.classification import score_classes

CLASSES = ["anger", "happiness", "neutral"]


def test_expression_score_equals_its_longhand_twin():
    actual, predicted = np.array([0, 0, 1, 1, 2, 2, 2]), np.array([0, 1, 1, 1, 2, 0, 2])
    score = score_classes(actual, predicted, CLASSES)
    assert score.accuracy == pytest.approx(5 / 7)
    assert score.per_class == pytest.approx({"anger": 1 / 2, "happiness": 1, "neutral": 2 / 3})
    assert score.balanced_accuracy == pytest.approx(balanced_accuracy_score(actual, predicted))
    f1 = []
    for c in range(3):
        right = ((actual == c) & (predicted == c)).sum()
        f1.append(2 * right / ((actual == c).sum() + (predicted == c).sum()))
    assert score.macro_f1 == pytest.approx(np.mean(f1))
    assert score.confusion.tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 2]]
    assert score.majority == pytest.approx(3 / 7)


@pytest.mark.parametrize("seed", range(3))
def test_expression_score_is_scikit_learns(seed):
    actual, predicted = np.random.default_rng(seed).integers(0, 7, (2, 40), dtype=np.int8)  # as pandas' codes
    actual[actual == 3] = 4  # a class without a photo, and predicted
    score = score_classes(actual, predicted, [f"class {number}" for number in range(40)])
    assert score.confusion.tolist() == confusion_matrix(actual, predicted, labels=np.arange(40)).tolist()
    present = np.unique(actual)
    assert score.macro_f1 == pytest.approx(f1_score(actual, predicted, labels=present, average="macro"))
    recall = confusion_matrix(actual, predicted, normalize="true", labels=np.arange(40)).diagonal()[present]
    assert score.balanced_accuracy == pytest.approx(recall.mean())


def test_a_class_without_a_photo_is_left_out():
    score = score_classes(np.array([0, 0]), np.array([0, 2]), CLASSES)
    assert score.per_class == {"anger": 0.5}
    assert score.balanced_accuracy == 0.5
    assert np.isfinite(score.macro_f1)


def test_one_class_alone_is_scored():
    assert score_classes(np.array([1]), np.array([1]), CLASSES).accuracy == 1


def every_case() -> tuple[np.ndarray, ...]:
    """The sixteen combinations of two decisions and two truths."""
    return tuple(np.array(bits, dtype=bool) for bits in zip(*np.ndindex(2, 2, 2, 2), strict=True))


def test_authentication_equals_its_longhand_twin():
    verified, shows, is_same, is_required = every_case()
    outcome = authenticate(verified, shows, is_same, is_required)
    right = accepted_wrongly = rejected_wrongly = 0
    for v, s, same, required in zip(verified, shows, is_same, is_required, strict=True):
        accept, genuine = v and s, same and required
        right += accept == genuine
        accepted_wrongly += accept and not genuine
        rejected_wrongly += genuine and not accept
    assert outcome.accuracy == pytest.approx(right / 16)
    assert outcome.far == pytest.approx(accepted_wrongly / 12)
    assert outcome.frr == pytest.approx(rejected_wrongly / 4)
    assert outcome.product == pytest.approx(0.5 * 0.5)
    assert outcome.always_reject == 0.75


def test_rejecting_everything_scores_what_it_says():
    _, _, is_same, is_required = every_case()
    nothing = np.zeros(16, dtype=bool)
    outcome = authenticate(nothing, nothing, is_same, is_required)
    assert (outcome.accuracy, outcome.far, outcome.frr) == (outcome.always_reject, 0.0, 1.0)
