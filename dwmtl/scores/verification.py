"""Face verification by the LFW protocol: are two faces the same person? Pure; opens no file.

The pairs come in folds. A fold's threshold is the one that is best on the other folds; the accuracy is the fold's own.
Source: davidsandberg/facenet, whose accuracy this is exactly: thresholds 0, 0.01, ... 3.99, accepted if the squared
Euclidean distance of the unit embeddings is strictly smaller, the first of equally good thresholds, population
deviation over the folds. VAL at a FAR takes the largest threshold on a grid of 0.001 whose FAR on the other folds does
not exceed the target, where facenet interpolates.

A pair is two row numbers into the embeddings of the images, each there once. Both sides of all pairs are never in
memory at once: a million pairs of 512 numbers would take 8 GB.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dwmtl.errors import ProtocolError

_GRID_SCALE = {"squared_euclidean": 1.0, "cosine": 0.5}
"""Cosine distance is half the squared Euclidean one, so its grids are half as wide."""

_CHUNK = 512
"""Pairs, or images, compared at a time: 2 MiB a copy of 512-dimensional embeddings, which stays in the cache."""


class Embeddings(Protocol):
    """Embeddings of M images: an array (M, D), or what looks like one when indexed by an array of row numbers."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray: ...


@dataclass(frozen=True)
class ValidationRate:
    """VAL (share of genuine pairs accepted) at a false accept rate; fractions, means over the folds.

    `threshold_per_fold` is in the order of the folds' numbers.
    """

    far_target: float
    val_mean: float
    val_std: float
    far_mean: float
    threshold_per_fold: tuple[float, ...]


@dataclass(frozen=True)
class Verification:
    """The outcome over N pairs in F folds. Fractions; higher is better but for `eer` and `far`.

    Attributes:
        accuracy_per_fold, threshold_per_fold: (F,), in the order of the folds' numbers.
        accuracy_mean, accuracy_std: over the folds; population deviation.
        auc, eer: of the mean ROC: area under it, and the rate at which FAR = 1 - TAR (lower is better).
        far, tar: the mean ROC, false and true accept rate at growing thresholds, from (0, 0) to (1, 1).
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


def pair_distances(a: np.ndarray, b: np.ndarray, *, distance: str) -> np.ndarray:
    """Distances of N pairs of embeddings, lower is closer: (N, D), (N, D) -> (N,).

    `squared_euclidean`, in [0, 4] for unit embeddings, or `cosine`: 1 - cosine of the angle, in [0, 2].

    Raises:
        ProtocolError: an embedding of length 0, which has no direction to compare.
    """
    lengths = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    if not (lengths[0].all() and lengths[1].all()):
        raise ProtocolError("an embedding has length 0; the model is broken. Train it again.")
    if distance == "squared_euclidean":
        return np.square(a - b).sum(axis=1)
    cosine = (a * b).sum(axis=1) / (lengths[0] * lengths[1])
    return np.clip(1 - cosine, 0, 2)  # equal embeddings may come out below 0, and would be accepted at a threshold of 0


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
        embeddings: (M, D), an image's unit embedding a row; compared in float64.
        rows_a, rows_b: (N,) int, the rows of the two sides' images.
        is_same: (N,) bool, whether the pair is genuine.
        folds: (N,) int, each pair's fold.
        distance: see `pair_distances`.
        subtract_mean: take the mean embedding of the other folds' pairs away first, both sides counted (it changes the
            cosine only).
        far_targets: false accept rates at which VAL is given.
    Raises:
        ProtocolError: fewer than two folds, a fold of genuine or of impostor pairs only, or an embedding that is no
            number or has length 0.
    """
    numbers = _checked_folds(is_same, folds)
    grid, far_grid = threshold_grid(distance), far_threshold_grid(distance)
    distances, accepted = np.empty(len(folds)), np.empty(len(folds), dtype=bool)
    accuracies, thresholds, tars, fars, rates = [], [], [], [], []
    for number, values in _fold_distances(embeddings, rows_a, rows_b, folds, numbers, distance, subtract_mean):
        inside = folds == number
        test, rest = (_Counts(values[part], is_same[part]) for part in (inside, ~inside))
        threshold = grid[np.argmax(rest.accuracy(grid))]
        thresholds.append(threshold)
        accuracies.append(test.accuracy(np.array([threshold]))[0])
        tars.append(test.tar(grid))
        fars.append(test.far(grid))
        rates.append([_val_at(test, rest, far_grid, target) for target in far_targets])
        distances[inside] = values[inside]
        accepted[inside] = values[inside] < threshold
    far = np.concatenate([[0.0], np.mean(fars, axis=0), [1.0]])
    tar = np.concatenate([[0.0], np.mean(tars, axis=0), [1.0]])
    return Verification(
        accuracy_per_fold=np.array(accuracies),
        threshold_per_fold=np.array(thresholds),
        accuracy_mean=float(np.mean(accuracies)),
        accuracy_std=float(np.std(accuracies)),
        val_at_far=_summaries(far_targets, np.array(rates)),
        auc=float(area_under_roc(far, tar)),
        eer=float(equal_error_rate(far, tar)),
        far=far,
        tar=tar,
        distances=distances,
        accepted=accepted,
    )


def tar_at(outcome: Verification, far_target: float) -> tuple[float, float]:
    """TAR at the last point of the mean ROC whose FAR is no more than the target, and that FAR.

    Nothing is interpolated. VAL at the same target takes its thresholds from the other folds; TAR is read off the curve
    afterwards.
    """
    tar, far = tar_within(outcome.far, outcome.tar, far_target)
    return float(tar), float(far)


def area_under_roc(far: np.ndarray, tar: np.ndarray) -> np.ndarray:
    """By trapezoids, of one ROC or several at once: (P,) or (P, R), from (0, 0) to (1, 1), -> () or (R,)."""
    return (np.diff(far, axis=0) * (tar[1:] + tar[:-1]) / 2).sum(axis=0)


def equal_error_rate(far: np.ndarray, tar: np.ndarray) -> np.ndarray:
    """Where a ROC crosses the line FAR = 1 - TAR, between its points linear; shapes as `area_under_roc`."""
    gap = far - (1 - tar)  # rises from -1 to 1
    after = np.expand_dims(np.argmax(gap >= 0, axis=0), 0)
    gap_before, gap_after = _rows(gap, after - 1), _rows(gap, after)
    far_before, far_after = _rows(far, after - 1), _rows(far, after)
    return far_before + gap_before / (gap_before - gap_after) * (far_after - far_before)


def tar_within(far: np.ndarray, tar: np.ndarray, far_target: float) -> tuple[np.ndarray, np.ndarray]:
    """TAR at the last point of a ROC whose FAR is no more than the target, and that FAR; shapes as `area_under_roc`."""
    point = np.expand_dims((far <= far_target).sum(axis=0) - 1, 0)  # the first point's FAR is 0, and FAR never falls
    return _rows(tar, point), _rows(far, point)


def _rows(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """One row of every column: (P,), (1,) -> () or (P, R), (1, R) -> (R,)."""
    return np.take_along_axis(values, places, axis=0)[0]


def threshold_grid(distance: str) -> np.ndarray:
    """The thresholds of which the most accurate is taken: (400,)."""
    return np.arange(0, 4, 0.01) * _GRID_SCALE[distance]


def far_threshold_grid(distance: str) -> np.ndarray:
    """The thresholds of which the largest that keeps a false accept rate is taken: (4000,)."""
    return np.arange(0, 4, 0.001) * _GRID_SCALE[distance]


def _fold_distances(
    embeddings: Embeddings,
    rows_a: np.ndarray,
    rows_b: np.ndarray,
    folds: np.ndarray,
    numbers: np.ndarray,
    distance: str,
    subtract_mean: bool,
) -> Iterator[tuple[int, np.ndarray]]:
    """Each fold's number, and the distances of all pairs by which it is judged: (N,)."""
    if not subtract_mean or distance == "squared_euclidean":  # a common offset leaves differences as they are
        common = _distances(embeddings, rows_a, rows_b, distance)
        yield from ((number, common) for number in numbers)
        return
    for number in numbers:
        others = folds != number
        mean = _mean_of_sides(embeddings, rows_a[others], rows_b[others])
        yield number, _distances(embeddings, rows_a, rows_b, distance, mean)


def _distances(
    embeddings: Embeddings, rows_a: np.ndarray, rows_b: np.ndarray, distance: str, mean: np.ndarray | None = None
) -> np.ndarray:
    """Distances of N pairs, a chunk at a time: (N,)."""
    distances = np.empty(len(rows_a))
    for start in range(0, len(rows_a), _CHUNK):
        part = slice(start, start + _CHUNK)
        a, b = _float64_rows(embeddings, rows_a[part]), _float64_rows(embeddings, rows_b[part])
        if mean is not None:
            a, b = a - mean, b - mean
        distances[part] = pair_distances(a, b, distance=distance)
    return distances


def _mean_of_sides(embeddings: Embeddings, rows_a: np.ndarray, rows_b: np.ndarray) -> np.ndarray:
    """Mean embedding of both sides of pairs, each image counted as often as the pairs name it: (D,)."""
    counts = np.bincount(rows_a, minlength=len(embeddings)) + np.bincount(rows_b, minlength=len(embeddings))
    named = np.flatnonzero(counts)
    parts = (named[start : start + _CHUNK] for start in range(0, len(named), _CHUNK))
    return sum(counts[part] @ _float64_rows(embeddings, part) for part in parts) / counts.sum()


def _float64_rows(embeddings: Embeddings, rows: np.ndarray) -> np.ndarray:
    found = np.asarray(embeddings[rows], dtype=np.float64)
    if not np.isfinite(found).all():
        raise ProtocolError("an embedding holds NaN or infinity; the model is broken. Train it again.")
    return found


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


def _val_at(test: _Counts, rest: _Counts, grid: np.ndarray, target: float) -> tuple[float, float, float]:
    """VAL and FAR on a fold at the largest threshold whose FAR on the others is no more than the target, and it."""
    threshold = grid[np.flatnonzero(rest.far(grid) <= target)[-1]]  # at 0 nothing is accepted, so there is one
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
