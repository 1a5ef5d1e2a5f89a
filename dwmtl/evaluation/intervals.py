"""How far a score could be off: confidence intervals by drawing other subjects. Pure; opens no file.

Photos of a person, and pairs that share one, are right or wrong together. Drawing pairs again as if each were evidence
of its own gives intervals that are too narrow; people are what a test set has a sample of.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dwmtl.errors import ProtocolError

_CELLS = 2**21
"""Weights held at a time, resamples x (pairs of) subjects: 16 MiB."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes:
        low, high: its ends, in the unit of the values.
        level: the share of test sets whose interval should hold the true value.
        num_subjects: how many people the test set has.
        num_resamples: how many resamples the ends are taken from; those that drew no pair are left out.
    """

    low: float
    high: float
    level: float
    num_subjects: int
    num_resamples: int


def subject_bootstrap(
    values: np.ndarray,
    subjects: np.ndarray,
    partners: np.ndarray | None = None,
    *,
    seed: int,
    level: float = 0.95,
    num_resamples: int = 1000,
) -> Interval:
    """Percentile bootstrap interval of a mean over photos or pairs, drawing subjects with replacement.

    A resample draws as many subjects as there are. A photo weighs as often as its subject was drawn, c_s; a pair of
    subjects a and b weighs c_a c_b, and c_a if both are the same subject, and the resample's score is the weighted
    mean of the values. The interval lies between the (1 - level) / 2 and (1 + level) / 2 quantiles of these scores.

    Decisions are given, not made again: thresholds and networks are held fixed, so their own chance is not in the
    interval. Percentiles are too narrow with few subjects (below about 20) and have width 0 where every value is equal:
    no error among few subjects is not proof of none. Accuracy over folds of unequal size is another mean than this one.

    Args:
        values: (N,), what the score is the mean of: 1 where a photo or pair was decided right and 0 where it was not.
            For a rate among genuine pairs, give these pairs only.
        subjects: (N,), whose photo it is, or who is on a pair's first photo; any type that sorts.
        partners: (N,), who is on its second photo; None for photos.
        seed: of the generator that draws; equal input and seed give the equal interval, in any order of the rows.
        level: in (0, 1).
        num_resamples: > 0.
    Raises:
        ProtocolError: fewer than two subjects, or no resample in which a pair was drawn.
        ValueError: the shapes differ.
    Source: Efron and Tibshirani 1993, chapter 13, for percentiles; Bolle, Ratha and Pankanti 2004 (Error analysis of
        pattern recognition systems: the subsets bootstrap) for drawing subjects; Snijders and Borgatti 1999 for weights
        of pairs; compared for face verification by Fogliato, Patil and Perona 2024, arXiv:2306.01198.
    """
    others = subjects if partners is None else partners
    if not values.shape == subjects.shape == others.shape == (len(values),):
        raise ValueError(f"values, subjects and partners must be (N,) alike. Got {values.shape}, {subjects.shape}, ...")
    numbers, a, b = _numbered(subjects, others)
    if numbers < 2:
        raise ProtocolError(f"an interval over subjects needs at least 2 of them. Got {numbers} instead.")
    a, b, sums, counts = _by_subjects(values.astype(np.float64), a, b, numbers)
    scores = np.concatenate(
        [_scores(drawn, a, b, sums, counts) for drawn in _draws(numbers, len(a), num_resamples, seed)]
    )
    scores = scores[~np.isnan(scores)]
    if not len(scores):
        raise ProtocolError(f"no resample of {numbers} subjects holds a pair; too few pairs for an interval.")
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, numbers, len(scores))


def accuracy_intervals(predictions: pd.DataFrame, pairs: pd.DataFrame) -> dict[str, list[float] | None]:
    """The interval of every headline accuracy, from the decisions of one fold or of several together.

    An interval is 95 %, of 1,000 resamples with the seed 0, so equal decisions give equal intervals. Of several folds'
    networks that were asked about the same people, each draw of people is every network's.

    Args:
        predictions: columns subject, expression, predicted; a row a photo.
        pairs: columns `tables.EVALUATED_PAIRS`.
    Returns:
        `expression`, `verification`, `expression_pairs`, `authentication` -> [low, high], fractions rounded to six
        decimals; None where it is not known who is on a photo, or there are too few people to draw.
    """
    own, other = (pairs[pairs["set"] == name] for name in ("expression", "verification"))
    accepted_rightly = own["is_accepted"] == (own["is_same_identity"] & own["is_required_expression"])
    return {
        "expression": _interval_of(predictions["expression"] == predictions["predicted"], predictions["subject"]),
        "verification": _pairs_interval(other["is_verified"] == other["is_same_identity"], other),
        "expression_pairs": _pairs_interval(own["is_verified"] == own["is_same_identity"], own),
        "authentication": _pairs_interval(accepted_rightly, own),
    }


def _pairs_interval(is_right: pd.Series, pairs: pd.DataFrame) -> list[float] | None:
    return _interval_of(is_right, pairs["input_subject"], pairs["reference_subject"])


def _interval_of(is_right: pd.Series, *sides: pd.Series) -> list[float] | None:
    if any((side == "").any() for side in sides):
        return None
    try:
        interval = subject_bootstrap(is_right.to_numpy(bool), *(side.to_numpy(str) for side in sides), seed=0)
    except ProtocolError:
        return None
    return [round(interval.low, 6), round(interval.high, 6)]


def _numbered(subjects: np.ndarray, others: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    """How many subjects there are, and both columns as their numbers, from 0 in sorted order."""
    names, numbers = np.unique(np.concatenate([subjects, others]), return_inverse=True)
    return len(names), numbers[: len(subjects)], numbers[len(subjects) :]


def _by_subjects(
    values: np.ndarray, a: np.ndarray, b: np.ndarray, num_subjects: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The P pairs of subjects that occur, in either order, with the sum and the number of their values: four (P,)."""
    cells, cell = np.unique(np.minimum(a, b) * num_subjects + np.maximum(a, b), return_inverse=True)
    a, b = np.divmod(cells, num_subjects)
    return a, b, np.bincount(cell, weights=values), np.bincount(cell)


def _draws(num_subjects: int, num_cells: int, num_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each subject is drawn in each resample, some resamples at a time: (R, S)."""
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS // max(num_subjects, num_cells))
    for start in range(0, num_resamples, step):
        size = min(step, num_resamples - start)
        drawn = rng.integers(num_subjects, size=(size, num_subjects))
        places = drawn + num_subjects * np.arange(size)[:, None]
        yield np.bincount(places.ravel(), minlength=size * num_subjects).reshape(size, num_subjects)


def _scores(drawn: np.ndarray, a: np.ndarray, b: np.ndarray, sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The weighted mean in each resample, NaN where none of its pairs was drawn: (R, S) -> (R,)."""
    weights = (drawn[:, a] * np.where(a == b, 1, drawn[:, b])).astype(np.float64)  # (R, P)
    totals = weights @ counts
    scores = np.full(len(drawn), np.nan)
    np.divide(weights @ sums, totals, out=scores, where=totals > 0)
    return scores
