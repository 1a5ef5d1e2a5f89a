"""Intervals of the scores of `verification`, by resampling the subjects. Pure; opens no file, imports no pandas."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dwmtl.errors import ProtocolError
from dwmtl.scores.bootstrap import NUM_RESAMPLES, Ends, Resamples, percentile_interval, ratio
from dwmtl.scores.verification import area_under_roc, equal_error_rate, tar_within


@dataclass(frozen=True)
class JudgedPairs:
    """N pairs with the decisions of one or several networks.

    Attributes:
        distances: (N,).
        is_same, accepted: (N,) bool: the truth, and whether the distance is below the fold's threshold.
        val_accepted: (T, N) bool: the same at the thresholds of VAL, a row per FAR target, ascending. A pair that is
            accepted at a target is accepted at the next.
        subjects, partners: (N,), the subjects of the first and second image.
        networks: (N,) int, from 0: the network that computed the distance. Distances of two networks are not
            comparable.
    """

    distances: np.ndarray
    is_same: np.ndarray
    accepted: np.ndarray
    val_accepted: np.ndarray
    subjects: np.ndarray
    partners: np.ndarray
    networks: np.ndarray


@dataclass(frozen=True)
class VerificationIntervals:
    """95 % intervals; None where there are too few subjects or pairs. `val_at_far` and `tar_at_far` are by target."""

    accuracy: Ends | None
    auc: Ends | None
    eer: Ends | None
    val_at_far: dict[float, Ends | None]
    tar_at_far: dict[float, Ends | None]


def no_intervals(far_targets: Sequence[float]) -> VerificationIntervals:
    """The intervals of pairs whose subjects are unknown or too few: all None."""
    return VerificationIntervals(None, None, None, dict.fromkeys(far_targets), dict.fromkeys(far_targets))


def verification_intervals(
    pairs: JudgedPairs,
    *,
    thresholds: np.ndarray,
    far_targets: Sequence[float],
    seed: int,
    num_resamples: int = NUM_RESAMPLES,
) -> VerificationIntervals:
    """Compute an interval for each score; all pairs have the same weight, whatever their fold.

    Accuracy and VAL keep their decisions; the ROC is computed again over each resample's pairs, at the same thresholds.
    AUC, EER and TAR are means over the networks with pairs of both kinds in the resample; accuracy and VAL pool all
    networks' decisions.

    Args:
        thresholds: (P,), ascending, of the ROC: `threshold.threshold_grid`.
        far_targets: (T,), ascending, as in `pairs.val_accepted`.
        seed, num_resamples: see `Resamples`.
    """
    try:
        resamples = Resamples(pairs.subjects, pairs.partners, seed=seed, num_resamples=num_resamples)
    except ProtocolError:
        return no_intervals(far_targets)
    kinds, levels, first = _kinds(pairs, thresholds)
    weights = resamples.counts(kinds)  # (K, R)
    is_same, right = pairs.is_same[first], (pairs.accepted == pairs.is_same)[first]
    scores = [_share(weights, right), *(_share(weights[is_same], row[first][is_same]) for row in pairs.val_accepted)]
    scores += list(roc_scores(weights, levels[first], is_same, pairs.networks[first], len(thresholds), far_targets))
    ends = [_ends(row, resamples.num_subjects) for row in scores]
    accuracy, vals, (auc, eer, *tars) = ends[0], ends[1 : 1 + len(far_targets)], ends[1 + len(far_targets) :]
    by_target = (dict(zip(far_targets, intervals, strict=True)) for intervals in (vals, tars))
    return VerificationIntervals(accuracy, auc, eer, *by_target)


def _kinds(pairs: JudgedPairs, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each pair's kind and level, and one pair of each kind. Pairs of one kind count the same in every score.

    The level is the number of thresholds that do not accept the pair: it is the index of the first that does.
    """
    levels = np.searchsorted(thresholds, pairs.distances, side="right")
    code = pairs.networks * (len(thresholds) + 1) + levels
    code = (code * 2 + pairs.is_same) * 2 + pairs.accepted
    code = code * (len(pairs.val_accepted) + 1) + pairs.val_accepted.sum(axis=0)
    _, first, kinds = np.unique(code, return_index=True, return_inverse=True)
    return kinds, levels, first


def _share(weights: np.ndarray, is_counted: np.ndarray) -> np.ndarray:
    return ratio(weights[is_counted].sum(axis=0), weights.sum(axis=0))


def roc_scores(
    weights: np.ndarray,
    levels: np.ndarray,
    is_same: np.ndarray,
    networks: np.ndarray,
    num_thresholds: int,
    far_targets: Sequence[float],
) -> np.ndarray:
    """AUC, EER and TAR at each target, per resample: (2 + T, R), NaN where no network has both kinds of pairs."""
    total, count = np.zeros((2, 2 + len(far_targets), weights.shape[1]))
    for network in np.unique(networks):
        far, tar = (
            _curve(weights[part], levels[part], num_thresholds)
            for part in ((networks == network) & ~is_same, (networks == network) & is_same)
        )
        has_both = ~np.isnan(far[1] + tar[1])
        far, tar = far[:, has_both], tar[:, has_both]
        rows = [area_under_roc(far, tar), equal_error_rate(far, tar)]
        total[:, has_both] += [*rows, *(tar_within(far, tar, target)[0] for target in far_targets)]
        count[:, has_both] += 1
    return ratio(total, count)


def _curve(weights: np.ndarray, levels: np.ndarray, num_thresholds: int) -> np.ndarray:
    """Share of the pairs accepted at each threshold, with the ends 0 and 1: (K, R) -> (P + 2, R)."""
    order = np.argsort(levels, kind="stable")
    summed = np.cumsum(np.concatenate([np.zeros((1, weights.shape[1])), weights[order]]), axis=0)
    accepted = summed[np.searchsorted(levels[order], np.arange(num_thresholds), side="right")]
    ends = np.zeros((1, weights.shape[1])), np.ones((1, weights.shape[1]))
    return np.concatenate([ends[0], ratio(accepted, summed[-1]), ends[1]])


def _ends(scores: np.ndarray, num_subjects: int) -> Ends | None:
    try:
        interval = percentile_interval(scores, num_subjects=num_subjects)
    except ProtocolError:
        return None
    return interval.low, interval.high
