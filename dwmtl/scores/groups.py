"""Scores by group: each group's photos or pairs scored by themselves, and the gap between the groups. Pure.

All groups share the resamples of the subjects, whether a subject is in one group (as by descent) or in several (as with
and without glasses), so the interval of a gap is paired. Fractions, rounded to six decimals; decisions and thresholds
are those of the whole test set, as in use.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dwmtl.errors import ProtocolError
from dwmtl.scores.bootstrap import Ends, Resamples, percentile_interval, ratio
from dwmtl.scores.classification import confusion_scores
from dwmtl.scores.metrics import DECIMALS
from dwmtl.scores.threshold import threshold_grid
from dwmtl.scores.verification_intervals import roc_scores

_SEED = 0

Scores = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""How often each of K kinds of photos or pairs occurs, (K, R) -> scores by key, (R,) each, NaN where there is none."""


@dataclass(frozen=True)
class GroupScore:
    """A group's score; None where it has no photo or pair for it. The interval is None with unknown or too few
    subjects."""

    value: float | None
    interval: Ends | None


@dataclass(frozen=True, kw_only=True)
class ScoreByGroup:
    """A score of every group.

    Attributes:
        groups: by name, sorted.
        highest, lowest: the two groups with the highest and the lowest value, the first of equal ones.
        gap: their difference; None with fewer than two values.
        gap_interval: of the difference of these two groups. They were chosen because they differ most, so among
            several groups it lies too far from 0.
    """

    groups: dict[str, GroupScore]
    highest: str | None
    lowest: str | None
    gap: float | None
    gap_interval: Ends | None


def expression_by_group(predictions: pd.DataFrame, groups: np.ndarray) -> dict[str, ScoreByGroup]:
    """Accuracy, balanced accuracy and macro F1 of the expression task.

    Args:
        predictions: columns subject, expression, predicted; a row per photo.
        groups: (N,) str, each photo's group.
    """
    classes = sorted({*predictions["expression"], *predictions["predicted"]})
    actual, predicted = (pd.Categorical(predictions[name], classes).codes for name in ("expression", "predicted"))

    def scores(weights: np.ndarray) -> dict[str, np.ndarray]:
        confusion = weights.reshape(len(classes), len(classes), -1)
        right = np.einsum("iir->r", confusion)
        balanced_accuracy, macro_f1 = confusion_scores(confusion)
        return {
            "expression_accuracy": ratio(right, weights.sum(axis=0)),
            "expression_balanced_accuracy": balanced_accuracy,
            "expression_macro_f1": macro_f1,
        }

    kinds = actual.astype(int) * len(classes) + predicted
    subjects = predictions["subject"].to_numpy(str)
    return _by_group(groups, kinds, len(classes) ** 2, scores, (subjects,))


def pairs_by_group(
    pairs: Sequence[pd.DataFrame], groups: Sequence[np.ndarray], *, distance: str
) -> dict[str, ScoreByGroup]:
    """Accuracy, AUC, EER, FAR and FRR of pairs: at the decisions, each pair with the same weight; AUC and EER are means
    over the networks.

    Args:
        pairs: columns `tables.EVALUATED_PAIRS`, of one set; a table per fold's network.
        groups: (N,) str for each table, the group of both people of each pair.
    Returns:
        By `accuracy`, `auc`, `eer`, `far`, `frr`.
    """
    pooled, thresholds = pd.concat(pairs), threshold_grid(distance)
    if pooled.empty:
        return {}
    networks = np.repeat(np.arange(len(pairs)), [len(table) for table in pairs])
    levels = np.searchsorted(thresholds, pooled["distance"].to_numpy(), side="right")
    is_same, accepted = (pooled[name].to_numpy(bool) for name in ("is_same_identity", "is_verified"))
    facts = np.stack([networks, levels, is_same, accepted])
    (networks, levels, is_same, accepted), kinds = np.unique(facts, axis=1, return_inverse=True)  # of each kind
    is_same, accepted = is_same.astype(bool), accepted.astype(bool)

    def scores(weights: np.ndarray) -> dict[str, np.ndarray]:
        auc, eer = roc_scores(weights, levels, is_same, networks, len(thresholds), [])
        return {
            "accuracy": _share(weights, accepted == is_same),
            "auc": auc,
            "eer": eer,
            "far": _share(weights[~is_same], accepted[~is_same]),
            "frr": _share(weights[is_same], ~accepted[is_same]),
        }

    return _by_group(np.concatenate(groups), kinds.ravel(), len(levels), scores, _sides(pooled))


def authentication_by_group(pairs: pd.DataFrame, groups: np.ndarray) -> dict[str, ScoreByGroup]:
    """Joint accuracy, FAR and FRR of authentication.

    Args:
        pairs: columns `tables.EVALUATED_PAIRS`, of the expression set.
        groups: (N,) str, the group of both people of each pair.
    """
    accepted = pairs["is_accepted"].to_numpy(bool)
    genuine = pairs["is_same_identity"].to_numpy(bool) & pairs["is_required_expression"].to_numpy(bool)

    def scores(weights: np.ndarray) -> dict[str, np.ndarray]:
        true_reject, false_accept, false_reject, true_accept = weights
        return {
            "authentication_accuracy": ratio(true_reject + true_accept, weights.sum(axis=0)),
            "authentication_far": ratio(false_accept, true_reject + false_accept),
            "authentication_frr": ratio(false_reject, true_accept + false_reject),
        }

    return _by_group(groups, 2 * genuine + accepted, 4, scores, _sides(pairs))


def _sides(pairs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return pairs["input_subject"].to_numpy(str), pairs["reference_subject"].to_numpy(str)


def _share(weights: np.ndarray, is_counted: np.ndarray) -> np.ndarray:
    return ratio(weights[is_counted].sum(axis=0), weights.sum(axis=0))


def _by_group(
    groups: np.ndarray, kinds: np.ndarray, num_kinds: int, scores: Scores, subjects: tuple[np.ndarray, ...]
) -> dict[str, ScoreByGroup]:
    """Every score of every group; one group's resamples are in memory at a time, and each score's are kept."""
    names = [str(name) for name in np.unique(groups)]
    resamples = _resamples(subjects)
    values, drawn = {}, {}
    for name in names:
        inside = groups == name
        counts = np.bincount(kinds[inside], minlength=num_kinds)
        values[name] = {key: float(score[0]) for key, score in scores(counts[:, None].astype(float)).items()}
        if resamples is not None:
            weights = np.zeros((num_kinds, resamples.num_resamples))
            of_group = resamples.counts(np.where(inside, kinds + 1, 0))[1:]
            weights[: len(of_group)] = of_group
            drawn[name] = scores(weights)
    keys = values[names[0]] if names else ()
    return {
        key: _score_by_group(
            {name: values[name][key] for name in names},
            {name: of_group[key] for name, of_group in drawn.items()},
            resamples.num_subjects if resamples is not None else 0,
        )
        for key in keys
    }


def _resamples(subjects: tuple[np.ndarray, ...]) -> Resamples | None:
    """None where a subject is unknown or there are fewer than two."""
    if any((side == "").any() for side in subjects):
        return None
    try:
        return Resamples(*subjects, seed=_SEED)
    except ProtocolError:
        return None


def _score_by_group(values: dict[str, float], drawn: dict[str, np.ndarray], num_subjects: int) -> ScoreByGroup:
    """Args: `drawn`: (R,) for each group, or empty."""
    groups = {
        name: GroupScore(
            None if np.isnan(value) else round(value, DECIMALS),
            _ends(drawn[name], num_subjects) if drawn and not np.isnan(value) else None,
        )
        for name, value in values.items()
    }
    known = {name: value for name, value in values.items() if not np.isnan(value)}
    if len(known) < 2:
        return ScoreByGroup(groups=groups, highest=None, lowest=None, gap=None, gap_interval=None)
    highest = max(known, key=known.__getitem__)
    lowest = min((name for name in known if name != highest), key=known.__getitem__)
    return ScoreByGroup(
        groups=groups,
        highest=highest,
        lowest=lowest,
        gap=round(known[highest] - known[lowest], DECIMALS),
        gap_interval=_ends(drawn[highest] - drawn[lowest], num_subjects) if drawn else None,
    )


def _ends(scores: np.ndarray, num_subjects: int) -> Ends | None:
    try:
        interval = percentile_interval(scores, num_subjects=num_subjects)
    except ProtocolError:
        return None
    return round(interval.low, DECIMALS), round(interval.high, DECIMALS)
