"""Confidence intervals of scores, by resampling the subjects. Pure; opens no file, knows no table.

Decisions on photos of the same person, and on pairs that share a person, are correlated. Resampling pairs as if they
were independent gives intervals that are too narrow: a test set is a sample of people.

A resample draws as many subjects as there are, with replacement. A photo's weight is c_s, how often its subject was
drawn; the weight of a pair of subjects a and b is c_a c_b, and c_a if both are the same subject.
Source: Efron and Tibshirani 1993, chapter 13, for percentiles; Bolle, Ratha and Pankanti 2004 (Error analysis of
pattern recognition systems: the subsets bootstrap) for drawing subjects; Snijders and Borgatti 1999 for weights of
pairs; compared for face verification by Fogliato, Patil and Perona 2024, arXiv:2306.01198.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dwmtl.errors import ProtocolError

NUM_RESAMPLES = 1000
LEVEL = 0.95

Ends = tuple[float, float]
"""The lower and the upper end of an interval."""

_CELLS = 2**19
"""Weights in memory at a time, (pairs of) subjects x resamples: 2 MiB, which fits the cache."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes:
        low, high: its ends, in the unit of the values.
        level: the share of test sets whose interval should hold the true value.
        num_subjects: subjects of the test set.
        num_resamples: resamples from which the ends are taken; those without a pair are left out.
    """

    low: float
    high: float
    level: float
    num_subjects: int
    num_resamples: int


class Resamples:
    """R resamples of the subjects of N photos or pairs: how many photos or pairs of each kind they hold.

    The same input and seed give the same counts, whatever the order of the rows and of a pair's sides.
    """

    def __init__(
        self,
        subjects: np.ndarray,
        partners: np.ndarray | None = None,
        *,
        seed: int,
        num_resamples: int = NUM_RESAMPLES,
    ):
        """Number the subjects; nothing is drawn before `counts`.

        Args:
            subjects: (N,), whose photo it is, or who is on a pair's first photo; any type that sorts.
            partners: (N,), who is on its second photo; None for photos.
            seed: of the generator that draws.
            num_resamples: R > 0.
        Raises:
            ProtocolError: fewer than two subjects.
            ValueError: the shapes differ.
        """
        others = subjects if partners is None else partners
        if not subjects.shape == others.shape == (len(subjects),):
            raise ValueError(f"subjects and partners must be (N,) alike. Got {subjects.shape}, {others.shape}")
        names, numbers = np.unique(np.concatenate([subjects, others]), return_inverse=True)
        if len(names) < 2:
            raise ProtocolError(f"an interval over subjects needs at least 2 of them. Got {len(names)} instead.")
        self.num_subjects = len(names)
        self._a, self._b = numbers[: len(subjects)], numbers[len(subjects) :]
        self._seed = seed
        self.num_resamples = num_resamples

    def counts(self, kinds: np.ndarray) -> np.ndarray:
        """The weights of the photos or pairs of each kind, summed, in each resample.

        Args:
            kinds: (N,) int, from 0. Memory grows with K R.
        Returns:
            (K, R), a row per kind, a column per resample.
        """
        cells = self._cells(kinds)
        return np.concatenate([_counts(drawn, *cells) for drawn in self._draws()], axis=1)

    def _cells(self, kinds: np.ndarray) -> tuple[np.ndarray, ...]:
        """Each kind's pairs of subjects, in either order and sorted by kind, and how often they occur: four (P,)."""
        low, high = np.minimum(self._a, self._b), np.maximum(self._a, self._b)
        cells, times = np.unique((kinds * self.num_subjects + low) * self.num_subjects + high, return_counts=True)
        rest, b = np.divmod(cells, self.num_subjects)
        kinds, a = np.divmod(rest, self.num_subjects)
        return kinds, a, b, times.astype(np.float32)

    def _draws(self) -> Iterator[np.ndarray]:
        """How often each subject is drawn in each resample, r resamples at a time: (S, r) float32."""
        rng = np.random.default_rng(self._seed)
        step = max(1, 16 * _CELLS // self.num_subjects)
        for start in range(0, self.num_resamples, step):
            yield np.ascontiguousarray(_drawn(rng, min(step, self.num_resamples - start), self.num_subjects).T)


def _drawn(rng: np.random.Generator, num_resamples: int, num_subjects: int) -> np.ndarray:
    """(r, S) float32: how often each subject is drawn in S consecutive draws of the generator."""
    counts = np.empty((num_resamples, num_subjects), np.float32)
    step = max(1, _CELLS // 8 // num_subjects)
    for start in range(0, num_resamples, step):
        rows = counts[start : start + step]
        places = rng.integers(num_subjects, size=rows.shape) + num_subjects * np.arange(len(rows))[:, None]
        rows[:] = np.bincount(places.ravel(), minlength=rows.size).reshape(rows.shape)
    return counts


def _counts(drawn: np.ndarray, kinds: np.ndarray, a: np.ndarray, b: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(S, r) draws and P cells, sorted by kind -> (K, r). The numbers are small integers, so float32 is exact."""
    counts = np.zeros((kinds[-1] + 1 if len(kinds) else 0, drawn.shape[1]))
    step = max(1, _CELLS // drawn.shape[1])
    for start in range(0, len(kinds), step):
        part = slice(start, start + step)
        weights = drawn[a[part]]  # (n, r)
        is_two = np.flatnonzero(a[part] != b[part])
        weights[is_two] *= drawn[b[part][is_two]]
        weights *= times[part, None]
        first = np.flatnonzero(np.diff(kinds[part], prepend=-1))
        counts[kinds[part][first]] += np.add.reduceat(weights, first, axis=0)
    return counts


def percentile_interval(scores: np.ndarray, *, num_subjects: int, level: float = LEVEL) -> Interval:
    """The interval between the (1 - level) / 2 and (1 + level) / 2 quantiles of the resamples' scores.

    Percentile intervals are too narrow with few subjects (below about 20) and have width 0 where all values are equal:
    no error among few subjects does not mean that there are none.

    Args:
        scores: (R,); NaN where a resample has none.
        level: in (0, 1).
    Raises:
        ProtocolError: no resample has a score.
    """
    scores = scores[~np.isnan(scores)]
    if not len(scores):
        raise ProtocolError(f"no resample of {num_subjects} subjects holds a pair; too few pairs for an interval.")
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, num_subjects, len(scores))


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where the whole is 0: a resample without such a photo or pair."""
    quotient = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    return np.divide(part, whole, out=quotient, where=np.broadcast_to(whole > 0, quotient.shape))


def subject_bootstrap(
    values: np.ndarray,
    subjects: np.ndarray,
    partners: np.ndarray | None = None,
    *,
    seed: int,
    level: float = LEVEL,
    num_resamples: int = NUM_RESAMPLES,
) -> Interval:
    """Percentile bootstrap interval of a mean over photos or pairs, drawing subjects with replacement.

    A resample's score is the weighted mean of the values. Thresholds and networks are held fixed, so their variance is
    not in the interval. With folds of unequal size this mean differs from the mean of the folds' accuracies.

    Args:
        values: (N,), whose mean is the score: 1 where the decision on a photo or pair is right and 0 where it is not.
            For a rate among genuine pairs, pass these pairs only. Memory grows with the number of different values.
        subjects, partners, seed, num_resamples: see `Resamples`.
        level: in (0, 1).
    Raises:
        ProtocolError: fewer than two subjects, or no resample in which a pair was drawn.
        ValueError: the shapes differ.
    """
    if values.shape != subjects.shape:
        raise ValueError(f"values and subjects must be (N,) alike. Got {values.shape}, {subjects.shape}")
    resamples = Resamples(subjects, partners, seed=seed, num_resamples=num_resamples)
    distinct, kinds = np.unique(values, return_inverse=True)
    counts = resamples.counts(kinds)
    scores = ratio(distinct.astype(np.float64) @ counts, counts.sum(axis=0))
    return percentile_interval(scores, num_subjects=resamples.num_subjects, level=level)
