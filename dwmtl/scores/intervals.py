"""The interval of every headline score, from the tables of decisions that an evaluation writes. Pure; opens no file.

An interval is the two ends of a 95 % interval over 1,000 resamples of the subjects, fractions rounded to six decimals;
None where a pair's subject is unknown or there are too few subjects. Of expressions, a photo whose subject is unknown
is resampled by itself. The seed is 0, so equal decisions give equal
intervals. Where the networks of several folds score the same people, they share the resamples.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from dwmtl.errors import ProtocolError
from dwmtl.scores.bootstrap import NUM_RESAMPLES, Ends, Resamples, percentile_interval, subject_bootstrap
from dwmtl.scores.classification import confusion_scores
from dwmtl.scores.metrics import DECIMALS, FoldMetrics, NoPairs, ValMetrics, VerificationMetrics
from dwmtl.scores.threshold import threshold_grid
from dwmtl.scores.verification_intervals import (
    JudgedPairs,
    VerificationIntervals,
    no_intervals,
    verification_intervals,
)

_SEED = 0


@dataclass(frozen=True)
class ExpressionIntervals:
    """Intervals of the expression task's scores."""

    accuracy: Ends | None
    balanced_accuracy: Ends | None
    macro_f1: Ends | None


@dataclass(frozen=True)
class AuthenticationIntervals:
    """Intervals of the challenges' scores."""

    accuracy: Ends | None
    far: Ends | None
    frr: Ends | None


@dataclass(frozen=True)
class ScoreIntervals:
    """Intervals of one fold's scores, or of several folds' together; named as in `FoldMetrics`."""

    expression: ExpressionIntervals
    verification: VerificationIntervals
    expression_pairs: VerificationIntervals
    authentication: AuthenticationIntervals


def score_intervals(
    predictions: pd.DataFrame, pairs: Sequence[pd.DataFrame], metrics: Sequence[FoldMetrics]
) -> ScoreIntervals:
    """Compute the intervals of the scores of one fold, or of several folds together.

    Args:
        predictions: columns photo, subject, expression, predicted; a row per photo.
        pairs: columns `tables.EVALUATED_PAIRS`; a table per fold's network.
        metrics: each fold's, for the distance and the thresholds of VAL.
    """
    distance = metrics[0].settings.distance
    by_set = {name: [table[table["set"] == name] for table in pairs] for name in ("verification", "expression")}
    own = [fold.expression_pairs for fold in metrics if isinstance(fold.expression_pairs, VerificationMetrics)]
    return ScoreIntervals(
        expression=_expression_intervals(predictions),
        verification=pairs_intervals(by_set["verification"], [fold.verification for fold in metrics], distance),
        expression_pairs=pairs_intervals(by_set["expression"], own, distance) if own else no_intervals([]),
        authentication=_authentication_intervals(pd.concat(by_set["expression"]))
        if own
        else AuthenticationIntervals(None, None, None),
    )


def with_intervals(metrics: FoldMetrics, intervals: ScoreIntervals) -> FoldMetrics:
    """A fold's metrics with each score's interval filled in."""
    expression, pairs, authentication = intervals.expression, metrics.expression_pairs, metrics.authentication
    return replace(
        metrics,
        expression=replace(
            metrics.expression,
            accuracy_interval=expression.accuracy,
            balanced_accuracy_interval=expression.balanced_accuracy,
            macro_f1_interval=expression.macro_f1,
        ),
        verification=with_pairs_intervals(metrics.verification, intervals.verification),
        expression_pairs=pairs
        if isinstance(pairs, NoPairs)
        else with_pairs_intervals(pairs, intervals.expression_pairs),
        authentication=authentication
        if isinstance(authentication, NoPairs)
        else replace(
            authentication,
            accuracy_interval=intervals.authentication.accuracy,
            far_interval=intervals.authentication.far,
            frr_interval=intervals.authentication.frr,
        ),
    )


def with_pairs_intervals(metrics: VerificationMetrics, intervals: VerificationIntervals) -> VerificationMetrics:
    vals, tars = intervals.val_at_far, intervals.tar_at_far
    return replace(
        metrics,
        accuracy_interval=intervals.accuracy,
        auc_interval=intervals.auc,
        eer_interval=intervals.eer,
        val_at_far={name: replace(val, interval=vals[float(name)]) for name, val in metrics.val_at_far.items()},
        tar_at_far={name: replace(tar, interval=tars[float(name)]) for name, tar in metrics.tar_at_far.items()},
    )


def gain_interval(before: pd.DataFrame, after: Sequence[pd.DataFrame]) -> Ends | None:
    """The paired interval of a gain in verification accuracy: over the same pairs, decided before and after.

    A pair counts 1 where only the decision after is right, -1 where only the one before is, else 0; the networks after
    are pooled. Errors that both make cancel, so the interval is narrower than the difference of two separate ones.

    Args:
        before: columns `tables.EVALUATED_PAIRS`.
        after: the same pairs in the same order, a table per network.
    Raises:
        ProtocolError: the pairs differ.
    """
    for table in after:
        if any(not np.array_equal(before[side], table[side]) for side in ("input", "reference", "fold")):
            raise ProtocolError("the start and a fold were scored on other pairs. Run `dvc repro` to score them again.")
    is_right = [table["is_verified"] == table["is_same_identity"] for table in (before, *after)]
    gains = np.concatenate([right.to_numpy(int) - is_right[0].to_numpy(int) for right in is_right[1:]])
    people = pd.concat(after)
    return _mean_interval(gains, people["input_subject"], people["reference_subject"])


def _expression_intervals(predictions: pd.DataFrame) -> ExpressionIntervals:
    """Balanced accuracy and macro F1 are computed from the confusion matrix of each resample."""
    classes = sorted({*predictions["expression"], *predictions["predicted"]})
    actual, predicted = (pd.Categorical(predictions[name], classes).codes for name in ("expression", "predicted"))
    kinds, kind = np.unique(actual.astype(int) * len(classes) + predicted, return_inverse=True)
    people = resampled_people(predictions)
    try:
        resamples = Resamples(people.to_numpy(str), seed=_SEED)
    except ProtocolError:
        return ExpressionIntervals(None, None, None)
    counts = np.zeros((len(classes) ** 2, NUM_RESAMPLES))
    counts[kinds] = resamples.counts(kind)
    balanced_accuracy, macro_f1 = (
        percentile_interval(score, num_subjects=resamples.num_subjects)
        for score in confusion_scores(counts.reshape(len(classes), len(classes), -1))
    )
    return ExpressionIntervals(
        accuracy=_share_interval(predictions["expression"] == predictions["predicted"], people),
        balanced_accuracy=_rounded((balanced_accuracy.low, balanced_accuracy.high)),
        macro_f1=_rounded((macro_f1.low, macro_f1.high)),
    )


def resampled_people(photos: pd.DataFrame) -> pd.Series:
    """Whom a bootstrap draws: the subject of each photo; a photo of an unknown subject stands for itself."""
    return photos["subject"].where(photos["subject"] != "", "photo " + photos["photo"])


def pairs_intervals(
    pairs: Sequence[pd.DataFrame], metrics: Sequence[VerificationMetrics], distance: str
) -> VerificationIntervals:
    """Intervals over a set's pairs, with the decisions of each fold's network."""
    vals = {float(target): [fold.val_at_far[target] for fold in metrics] for target in metrics[0].val_at_far}
    targets = sorted(vals)
    pooled = pd.concat(pairs)
    if ((pooled["input_subject"] == "") | (pooled["reference_subject"] == "")).any():
        return no_intervals(targets)
    intervals = verification_intervals(
        _judged(pairs, [vals[target] for target in targets]),
        thresholds=threshold_grid(distance),
        far_targets=targets,
        seed=_SEED,
    )
    return VerificationIntervals(
        accuracy=_rounded(intervals.accuracy),
        auc=_rounded(intervals.auc),
        eer=_rounded(intervals.eer),
        val_at_far={target: _rounded(ends) for target, ends in intervals.val_at_far.items()},
        tar_at_far={target: _rounded(ends) for target, ends in intervals.tar_at_far.items()},
    )


def _judged(pairs: Sequence[pd.DataFrame], vals: Sequence[Sequence[ValMetrics]]) -> JudgedPairs:
    """The folds' pairs together; `vals`: for each target, in ascending order, a value per fold."""
    pooled = pd.concat(pairs)
    val_accepted = [
        np.concatenate([_val_accepted(table, val) for table, val in zip(pairs, of_target, strict=True)])
        for of_target in vals
    ]
    return JudgedPairs(
        distances=pooled["distance"].to_numpy(),
        is_same=pooled["is_same_identity"].to_numpy(bool),
        accepted=pooled["is_verified"].to_numpy(bool),
        val_accepted=np.array(val_accepted).reshape(len(vals), len(pooled)),
        subjects=pooled["input_subject"].to_numpy(str),
        partners=pooled["reference_subject"].to_numpy(str),
        networks=np.repeat(np.arange(len(pairs)), [len(table) for table in pairs]),
    )


def _val_accepted(pairs: pd.DataFrame, val: ValMetrics) -> np.ndarray:
    """(N,) bool: whether pairs are accepted at the thresholds of VAL at a FAR."""
    _, place = np.unique(pairs["fold"], return_inverse=True)
    return pairs["distance"].to_numpy() < np.array(val.threshold_per_fold)[place]


def _authentication_intervals(pairs: pd.DataFrame) -> AuthenticationIntervals:
    """FAR is resampled over the pairs to reject, FRR over the pairs to accept."""
    is_accepted = pairs["is_accepted"].astype(bool)
    is_genuine = (pairs["is_same_identity"] & pairs["is_required_expression"]).astype(bool)
    return AuthenticationIntervals(
        accuracy=_pairs_share_interval(is_accepted == is_genuine, pairs),
        far=_pairs_share_interval(is_accepted[~is_genuine], pairs[~is_genuine]),
        frr=_pairs_share_interval(~is_accepted[is_genuine], pairs[is_genuine]),
    )


def _pairs_share_interval(is_counted: pd.Series, pairs: pd.DataFrame) -> Ends | None:
    return _share_interval(is_counted, pairs["input_subject"], pairs["reference_subject"])


def _share_interval(is_counted: pd.Series, *sides: pd.Series) -> Ends | None:
    """Interval of a share of photos or pairs; None where a subject is unknown or there are too few subjects."""
    return _mean_interval(is_counted.to_numpy(bool), *sides)


def _mean_interval(values: np.ndarray, *sides: pd.Series) -> Ends | None:
    """Interval of a mean over photos or pairs; None as in `_share_interval`."""
    if any((side == "").any() for side in sides):
        return None
    try:
        interval = subject_bootstrap(values, *(side.to_numpy(str) for side in sides), seed=_SEED)
    except ProtocolError:
        return None
    return _rounded((interval.low, interval.high))


def _rounded(ends: Ends | None) -> Ends | None:
    return None if ends is None else (round(ends[0], DECIMALS), round(ends[1], DECIMALS))
