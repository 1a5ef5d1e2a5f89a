import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwmtl.errors import ProtocolError
from dwmtl.scores.distances import pair_distances
from dwmtl.scores.verification import tar_at, verify


def unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def make_pairs(seed: int, num_pairs: int = 60, num_folds: int = 5, length: int = 8):
    """Embeddings whose genuine pairs are closer, in folds of alternating kinds."""
    rng = np.random.default_rng(seed)
    is_same = np.arange(num_pairs) % 2 == 0
    a = rng.normal(size=(num_pairs, length))
    b = np.where(is_same[:, None], a + 0.6 * rng.normal(size=a.shape), rng.normal(size=a.shape))
    folds = np.arange(num_pairs) * num_folds // num_pairs
    return unit(a), unit(b), is_same, folds


def run(a, b, is_same, folds, **changes):
    settings = {"distance": "squared_euclidean", "subtract_mean": False, "far_targets": [0.1]}
    rows = np.arange(len(a))
    return verify(np.concatenate([a, b]), rows, rows + len(a), is_same, folds, **{**settings, **changes})


def textbook(distances, is_same, folds, far_target):
    """The protocol in plain loops, as facenet has it."""
    thresholds = np.arange(0, 4, 0.01)
    accuracies, chosen, vals, fars, tprs, fprs = [], [], [], [], [], []
    for fold in sorted(set(folds.tolist())):
        test = [i for i in range(len(folds)) if folds[i] == fold]
        rest = [i for i in range(len(folds)) if folds[i] != fold]

        def accuracy(threshold, pairs):
            return sum((distances[i] < threshold) == is_same[i] for i in pairs) / len(pairs)

        def rate(threshold, pairs, same):
            kind = [i for i in pairs if is_same[i] == same]
            return sum(distances[i] < threshold for i in kind) / len(kind)

        best, best_accuracy = None, -1.0
        for threshold in thresholds:
            if accuracy(threshold, rest) > best_accuracy:
                best, best_accuracy = threshold, accuracy(threshold, rest)
        chosen.append(best)
        accuracies.append(accuracy(best, test))
        tprs.append([rate(t, test, True) for t in thresholds])
        fprs.append([rate(t, test, False) for t in thresholds])
        strict = [t for t in np.arange(0, 4, 0.001) if rate(t, rest, False) <= far_target][-1]
        vals.append(rate(strict, test, True))
        fars.append(rate(strict, test, False))
    tpr = [0.0, *np.mean(tprs, axis=0), 1.0]
    fpr = [0.0, *np.mean(fprs, axis=0), 1.0]
    area = sum((fpr[i + 1] - fpr[i]) * (tpr[i + 1] + tpr[i]) / 2 for i in range(len(tpr) - 1))
    return accuracies, chosen, np.mean(vals), np.mean(fars), area


def assert_equals_textbook(a, b, is_same, folds):
    outcome = run(a, b, is_same, folds)
    distances = [sum((x - y) ** 2 for x, y in zip(p, q, strict=True)) for p, q in zip(a, b, strict=True)]
    assert outcome.distances == pytest.approx(distances)
    accuracies, chosen, val, far, area = textbook(outcome.distances, is_same, folds, 0.1)
    assert outcome.accuracy_per_fold.tolist() == accuracies
    assert outcome.threshold_per_fold.tolist() == chosen
    assert outcome.accuracy_mean == pytest.approx(np.mean(accuracies))
    assert outcome.accuracy_std == pytest.approx(np.sqrt(np.mean((np.array(accuracies) - np.mean(accuracies)) ** 2)))
    assert outcome.val_at_far[0].val_mean == pytest.approx(val)
    assert outcome.val_at_far[0].far_mean == pytest.approx(far)
    assert outcome.auc == pytest.approx(area)


@pytest.mark.parametrize("seed", [0, 1])
def test_verification_equals_its_textbook_twin(seed):
    assert_equals_textbook(*make_pairs(seed))


def test_unequal_folds_equal_the_twin():
    a, b, is_same, _ = make_pairs(2)
    assert_equals_textbook(a, b, is_same, np.repeat([3, 7, 9], [6, 20, 34]))


def test_ties_on_a_threshold_equal_the_twin():
    """Distances that lie exactly on thresholds: strictly smaller is accepted, equal is not."""
    angle = np.arange(0, 4, 0.01)[np.arange(40) % 8 * 40]
    a = np.tile([1.0, 0.0], (40, 1))
    b = np.stack([1 - angle / 2, np.sqrt(1 - (1 - angle / 2) ** 2)], axis=1)
    assert_equals_textbook(a, b, np.arange(40) % 2 == 0, np.arange(40) // 10)


def test_all_equal_distances_equal_the_twin():
    a = np.tile([1.0, 0.0], (20, 1))
    assert_equals_textbook(a, a[:, ::-1], np.arange(20) % 2 == 0, np.arange(20) // 5)


def test_a_perfect_network_is_told():
    a = np.tile([1.0, 0.0], (20, 1))
    is_same = np.arange(20) % 2 == 0
    b = np.where(is_same[:, None], a, -a)
    outcome = run(a, b, is_same, np.arange(20) // 5)
    assert (outcome.accuracy_mean, outcome.auc, outcome.eer) == (1.0, 1.0, 0.0)
    assert outcome.accepted.tolist() == is_same.tolist()


def test_a_false_accept_rate_that_equals_the_target_is_within_it():
    """One impostor of ten is accepted in each of three folds; in floating point the mean of these rates exceeds 0.1."""
    is_same, folds = np.arange(60) % 2 == 0, np.arange(60) // 20
    distance = np.where(is_same, 1.0, np.where(np.arange(60) % 20 == 1, 0.5, 2.0))
    b = np.stack([1 - distance / 2, np.sqrt(1 - (1 - distance / 2) ** 2)], axis=1)
    outcome = run(np.tile([1.0, 0.0], (60, 1)), b, is_same, folds)
    assert outcome.far[150] > 0.1
    assert tar_at(outcome, 0.1) == pytest.approx((1.0, 0.1))


def test_cosine_is_half_the_squared_euclidean_distance_of_unit_vectors():
    a, b, is_same, folds = make_pairs(3)
    cosine = pair_distances(a, b, distance="cosine")
    assert cosine == pytest.approx(pair_distances(a, b, distance="squared_euclidean") / 2)
    assert run(a, b, is_same, folds, distance="cosine").accuracy_mean == pytest.approx(
        run(a, b, is_same, folds).accuracy_mean, abs=0.04
    )


def test_subtracting_the_mean_leaves_the_euclidean_distance():
    a, b, is_same, folds = make_pairs(4)
    assert run(a, b, is_same, folds, subtract_mean=True).distances == pytest.approx(run(a, b, is_same, folds).distances)


def test_subtracting_the_mean_undoes_a_common_offset_for_the_cosine():
    a, b, is_same, folds = make_pairs(5)
    far = run(unit(a + 9), unit(b + 9), is_same, folds, distance="cosine")
    undone = run(unit(a + 9), unit(b + 9), is_same, folds, distance="cosine", subtract_mean=True)
    assert undone.accuracy_mean > far.accuracy_mean


@given(seed=st.integers(0, 50))
def test_the_order_of_the_pairs_does_not_matter(seed):
    a, b, is_same, folds = make_pairs(6)
    order = np.random.default_rng(seed).permutation(len(folds))
    shuffled = run(a[order], b[order], is_same[order], folds[order])
    outcome = run(a, b, is_same, folds)
    assert shuffled.accuracy_per_fold.tolist() == outcome.accuracy_per_fold.tolist()
    assert shuffled.distances.tolist() == outcome.distances[order].tolist()


def test_equal_embeddings_have_no_negative_cosine_distance():
    """1 - cosine of equal vectors may round below 0: an impostor pair accepted at every threshold has no VAL."""
    a, _, is_same, folds = make_pairs(0)
    outcome = run(a, a, is_same, folds, distance="cosine")
    assert outcome.distances.min() >= 0
    assert outcome.auc == 0.5


@pytest.mark.parametrize("distance", ["squared_euclidean", "cosine"])
def test_an_embedding_of_length_zero_is_refused(distance):
    a, b, is_same, folds = make_pairs(0)
    a[3] = 0
    with pytest.raises(ProtocolError, match="length 0"):
        run(a, b, is_same, folds, distance=distance)


def test_one_fold_is_refused():
    a, b, is_same, folds = make_pairs(0)
    with pytest.raises(ProtocolError, match="at least 2 folds"):
        run(a, b, is_same, np.zeros_like(folds))


def test_a_fold_of_one_kind_is_refused():
    a, b, is_same, _ = make_pairs(0)
    with pytest.raises(ProtocolError, match="genuine or impostor pairs only"):
        run(a, b, is_same, is_same.astype(int))


def test_an_embedding_that_is_no_number_is_refused():
    a, b, is_same, folds = make_pairs(0)
    a[3, 2] = np.nan
    with pytest.raises(ProtocolError, match="NaN or infinity"):
        run(a, b, is_same, folds)
