"""Face verification by the LFW protocol: are two faces the same person? Pure; opens no file.

The pairs come in folds. A fold's threshold is the one that is best on the other folds; its accuracy is measured on the
fold itself.
Source: davidsandberg/facenet; the accuracy is exactly the same: thresholds 0, 0.01, ... 3.99, accepted if the squared
Euclidean distance of the unit embeddings is strictly smaller, the first of equally good thresholds, population
deviation over the folds. VAL at a FAR takes the largest threshold on a grid of 0.001 whose FAR on the other folds does
not exceed the target; facenet interpolates.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dwmtl.errors import ProtocolError
from dwmtl.scores.distances import Embeddings, distances_of_pairs, mean_of_sides
from dwmtl.scores.threshold import RATE_ROUNDING, far_threshold_grid, largest_within, most_accurate, threshold_grid


@dataclass(frozen=True)
class ValidationRate:
    """VAL (share of genuine pairs accepted) at a target false accept rate; fractions, means over the folds.

    `threshold_per_fold` is in the order of the folds' numbers.
    """

    far_target: float
    val_mean: float
    val_std: float
    far_mean: float
    threshold_per_fold: tuple[float, ...]


@dataclass(frozen=True)
class Verification:
    """The outcome over N pairs in F folds. Fractions; higher is better, except `eer` and `far`.

    Attributes:
        accuracy_per_fold, threshold_per_fold: (F,), in the order of the folds' numbers.
        accuracy_mean, accuracy_std: over the folds; population deviation.
        auc, eer: of the mean ROC: area under it, and the rate at which FAR = 1 - TAR (lower is better).
        far, tar: the mean ROC, false and true accept rate at ascending thresholds, from (0, 0) to (1, 1).
        distances, accepted: (N,), each pair's distance and whether it is below its fold's threshold.
    """

    accuracy_per_fold: np.ndarray
    threshold_per_fold: np.ndarray
    accuracy_mean: float
    accuracy_std: float
    val_at_far: tuple[ValidationRate, ...]
    auc: float
    eer: float
    far: np.ndarray
    tar: np.ndarray
    distances: np.ndarray
    accepted: np.ndarray


def verify(
    embeddings: Embeddings,
    rows_a: np.ndarray,
    rows_b: np.ndarray,
    is_same: np.ndarray,
    folds: np.ndarray,
    *,
    distance: str,
    subtract_mean: bool,
    far_targets: Sequence[float],
) -> Verification:
    """Score pairs of embeddings.

    Args:
        embeddings: (M, D), unit length, a row per image; compared in float64.
        rows_a, rows_b: (N,) int, rows of the pairs' first and second images.
        is_same: (N,) bool, whether the pair is genuine.
        folds: (N,) int, each pair's fold.
        distance: see `distances.pair_distances`.
        subtract_mean: subtract the mean embedding of the other folds' pairs first; changes the cosine only.
        far_targets: false accept rates at which VAL is computed.
    Raises:
        ProtocolError: fewer than two folds, a fold with genuine or impostor pairs only, or an embedding that is not
            finite or has length 0.
    """
    numbers = _checked_folds(is_same, folds)
    distances, accepted, scores = np.empty(len(folds)), np.empty(len(folds), dtype=bool), []
    for number, values in _fold_distances(embeddings, rows_a, rows_b, folds, numbers, distance, subtract_mean):
        inside = folds == number
        test, rest = (_Counts(values[part], is_same[part]) for part in (inside, ~inside))
        scores.append(_score_fold(test, rest, distance, far_targets))
        distances[inside] = values[inside]
        accepted[inside] = values[inside] < scores[-1].threshold
    far = np.concatenate([[0.0], np.mean([score.far for score in scores], axis=0), [1.0]])
    tar = np.concatenate([[0.0], np.mean([score.tar for score in scores], axis=0), [1.0]])
    accuracies = np.array([score.accuracy for score in scores])
    return Verification(
        accuracy_per_fold=accuracies,
        threshold_per_fold=np.array([score.threshold for score in scores]),
        accuracy_mean=float(accuracies.mean()),
        accuracy_std=float(accuracies.std()),
        val_at_far=_summaries(far_targets, np.array([score.rates for score in scores])),
        auc=float(area_under_roc(far, tar)),
        eer=float(equal_error_rate(far, tar)),
        far=far,
        tar=tar,
        distances=distances,
        accepted=accepted,
    )


def tar_at(outcome: Verification, far_target: float) -> tuple[float, float]:
    """TAR at the last point of the mean ROC whose FAR is no more than the target, and that FAR.

    Nothing is interpolated. VAL at the same target takes its thresholds from the other folds; TAR is read off the mean
    curve.
    """
    tar, far = tar_within(outcome.far, outcome.tar, far_target)
    return float(tar), float(far)


def area_under_roc(far: np.ndarray, tar: np.ndarray) -> np.ndarray:
    """Area by trapezoids under one ROC or several: (P,) or (P, R), from (0, 0) to (1, 1), -> () or (R,)."""
    return (np.diff(far, axis=0) * (tar[1:] + tar[:-1]) / 2).sum(axis=0)


def equal_error_rate(far: np.ndarray, tar: np.ndarray) -> np.ndarray:
    """FAR where a ROC crosses FAR = 1 - TAR, linear between its points; shapes as in `area_under_roc`."""
    gap = far - (1 - tar)  # rises from -1 to 1
    after = np.expand_dims(np.argmax(gap >= 0, axis=0), 0)
    gap_before, gap_after = _rows(gap, after - 1), _rows(gap, after)
    far_before, far_after = _rows(far, after - 1), _rows(far, after)
    return far_before + gap_before / (gap_before - gap_after) * (far_after - far_before)


def tar_within(far: np.ndarray, tar: np.ndarray, far_target: float) -> tuple[np.ndarray, np.ndarray]:
    """TAR at the last point of a ROC whose FAR is within the target, and that FAR; shapes as in `area_under_roc`."""
    is_within = far <= far_target * (1 + RATE_ROUNDING)
    point = np.expand_dims(is_within.sum(axis=0) - 1, 0)  # FAR starts at 0 and does not decrease
    return _rows(tar, point), _rows(far, point)


def _rows(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """One row of every column: (P,), (1,) -> () or (P, R), (1, R) -> (R,)."""
    return np.take_along_axis(values, places, axis=0)[0]


def _fold_distances(
    embeddings: Embeddings,
    rows_a: np.ndarray,
    rows_b: np.ndarray,
    folds: np.ndarray,
    numbers: np.ndarray,
    distance: str,
    subtract_mean: bool,
) -> Iterator[tuple[int, np.ndarray]]:
    """Each fold's number and the distances of all pairs with which it is scored: (N,)."""
    if not subtract_mean or distance == "squared_euclidean":  # a common offset does not change differences
        common = distances_of_pairs(embeddings, rows_a, rows_b, distance)
        yield from ((number, common) for number in numbers)
        return
    for number in numbers:
        others = folds != number
        mean = mean_of_sides(embeddings, rows_a[others], rows_b[others])
        yield number, distances_of_pairs(embeddings, rows_a, rows_b, distance, mean)


class _Counts:
    """How many genuine and impostor pairs lie strictly below a threshold."""

    def __init__(self, distances: np.ndarray, is_same: np.ndarray):
        self._genuine = np.sort(distances[is_same])
        self._impostor = np.sort(distances[~is_same])

    def tar(self, thresholds: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._genuine, thresholds, side="left") / len(self._genuine)

    def far(self, thresholds: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._impostor, thresholds, side="left") / len(self._impostor)

    def accuracy(self, thresholds: np.ndarray) -> np.ndarray:
        accepted = np.searchsorted(self._genuine, thresholds, side="left")
        rejected = len(self._impostor) - np.searchsorted(self._impostor, thresholds, side="left")
        return (accepted + rejected) / (len(self._genuine) + len(self._impostor))


def _checked_folds(is_same: np.ndarray, folds: np.ndarray) -> np.ndarray:
    numbers = np.unique(folds)
    if len(numbers) < 2:
        raise ProtocolError("verification needs at least 2 folds of pairs: a threshold comes from the other folds.")
    for number in numbers:
        if len(np.unique(is_same[folds == number])) < 2:
            raise ProtocolError(
                f"fold {number} of the pairs holds genuine or impostor pairs only, so its accuracy would measure the "
                f"threshold alone. Interleave the pairs, or take fewer folds (pairs.num_blocks in params.yaml)."
            )
    return numbers


@dataclass(frozen=True)
class _FoldScore:
    """A fold's scores at the other folds' threshold; `far`, `tar`: (400,), at all thresholds; `rates`: (targets, 3)."""

    accuracy: float
    threshold: float
    far: np.ndarray
    tar: np.ndarray
    rates: list[tuple[float, float, float]]


def _score_fold(test: _Counts, rest: _Counts, distance: str, far_targets: Sequence[float]) -> _FoldScore:
    """Score a fold's pairs, `test`, at the threshold that is best on the other folds' pairs, `rest`."""
    grid, far_grid = threshold_grid(distance), far_threshold_grid(distance)
    threshold = most_accurate(grid, rest.accuracy(grid))
    return _FoldScore(
        accuracy=test.accuracy(np.array([threshold]))[0],
        threshold=threshold,
        far=test.far(grid),
        tar=test.tar(grid),
        rates=[_val_at(test, rest, far_grid, target) for target in far_targets],
    )


def _val_at(test: _Counts, rest: _Counts, grid: np.ndarray, target: float) -> tuple[float, float, float]:
    """VAL, FAR and threshold of a fold: the largest threshold whose FAR on the other folds is within the target."""
    threshold = largest_within(grid, rest.far(grid), far_target=target)
    return float(test.tar(np.array([threshold]))[0]), float(test.far(np.array([threshold]))[0]), float(threshold)


def _summaries(far_targets: Sequence[float], rates: np.ndarray) -> tuple[ValidationRate, ...]:
    """rates: (F, targets, 3), VAL, FAR and threshold."""
    return tuple(
        ValidationRate(
            far_target=target,
            val_mean=float(rates[:, i, 0].mean()),
            val_std=float(rates[:, i, 0].std()),
            far_mean=float(rates[:, i, 1].mean()),
            threshold_per_fold=tuple(rates[:, i, 2].tolist()),
        )
        for i, target in enumerate(far_targets)
    )
