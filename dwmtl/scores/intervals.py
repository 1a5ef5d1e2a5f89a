"""The interval of every headline score, from the tables of decisions that an evaluation leaves. Pure; opens no file.

An interval is 95 %, of 1,000 resamples of the subjects with the seed 0, so equal decisions give equal intervals: two
ends, fractions rounded to six decimals; None where it is not known who is on a photo, or there are too few people to
draw. Of several folds' networks that were asked about the same people, each draw of people is every network's.
"""

import numpy as np
import pandas as pd

from dwmtl.errors import ProtocolError
from dwmtl.scores.bootstrap import NUM_RESAMPLES, Resamples, percentile_interval, subject_bootstrap
from dwmtl.scores.classification import confusion_scores
from dwmtl.scores.verification import threshold_grid
from dwmtl.scores.verification_intervals import JudgedPairs, verification_intervals

_SEED = 0
_SETS = {"verification": "verification", "expression_pairs": "expression"}
"""A section of the metrics -> the set of its pairs."""


def accuracy_intervals(predictions: pd.DataFrame, pairs: pd.DataFrame) -> dict[str, list[float] | None]:
    """The interval of every headline accuracy, from the decisions of one fold or of several together.

    Args:
        predictions: columns subject, expression, predicted; a row a photo.
        pairs: columns `tables.EVALUATED_PAIRS`.
    Returns:
        `expression`, `verification`, `expression_pairs`, `authentication` -> the interval.
    """
    own, other = (pairs[pairs["set"] == name] for name in ("expression", "verification"))
    accepted_rightly = own["is_accepted"] == (own["is_same_identity"] & own["is_required_expression"])
    return {
        "expression": _interval_of(predictions["expression"] == predictions["predicted"], predictions["subject"]),
        "verification": _pairs_interval(other["is_verified"] == other["is_same_identity"], other),
        "expression_pairs": _pairs_interval(own["is_verified"] == own["is_same_identity"], own),
        "authentication": _pairs_interval(accepted_rightly, own),
    }


def score_intervals(
    predictions: pd.DataFrame, pairs: list[pd.DataFrame], metrics: list[dict]
) -> dict[str, dict[str, object]]:
    """The intervals of the other headline scores, of one fold or of several together.

    Args:
        predictions: see `accuracy_intervals`.
        pairs: columns `tables.EVALUATED_PAIRS`; a table a fold's network.
        metrics: a fold's `metrics.json` each, for the settings and the thresholds of VAL.
    Returns:
        `expression`: `balanced_accuracy`, `macro_f1`; `verification`, `expression_pairs`: `auc`, `eer` and, by target,
        `val_at_far` and `tar_at_far`; `authentication`: `far`, `frr`.
    """
    return {
        "expression": _class_intervals(predictions),
        **{section: _verification_intervals(section, pairs, metrics) for section in _SETS},
        "authentication": _authentication_intervals(pd.concat(pairs)),
    }


def _class_intervals(predictions: pd.DataFrame) -> dict[str, list[float] | None]:
    """Of balanced accuracy and macro F1, over the confusion matrix of each resample."""
    classes = sorted({*predictions["expression"], *predictions["predicted"]})
    actual, predicted = (pd.Categorical(predictions[name], classes).codes for name in ("expression", "predicted"))
    kinds, kind = np.unique(actual.astype(int) * len(classes) + predicted, return_inverse=True)
    try:
        resamples = Resamples(predictions["subject"].to_numpy(str), seed=_SEED)
    except ProtocolError:
        return {"balanced_accuracy": None, "macro_f1": None}
    counts = np.zeros((len(classes) ** 2, NUM_RESAMPLES))
    counts[kinds] = resamples.counts(kind)
    scores = confusion_scores(counts.reshape(len(classes), len(classes), -1))
    ends = (percentile_interval(score, num_subjects=resamples.num_subjects) for score in scores)
    return dict(zip(("balanced_accuracy", "macro_f1"), (_rounded([end.low, end.high]) for end in ends), strict=True))


def _verification_intervals(
    section: str, pairs: list[pd.DataFrame], metrics: list[dict]
) -> dict[str, list[float] | dict | None]:
    targets = sorted(metrics[0][section]["val_at_far"], key=float)
    tables = [table[table["set"] == _SETS[section]] for table in pairs]
    own = pd.concat(tables)
    sides = [own[side].to_numpy(str) for side in ("input_subject", "reference_subject")]
    if any((side == "").any() for side in sides):
        return {"auc": None, "eer": None} | dict.fromkeys(("val_at_far", "tar_at_far"), dict.fromkeys(targets))
    val_accepted = [
        np.concatenate(
            [_val_accepted(t, m[section]["val_at_far"][target]) for t, m in zip(tables, metrics, strict=True)]
        )
        for target in targets
    ]
    judged = JudgedPairs(
        distances=own["distance"].to_numpy(),
        is_same=own["is_same_identity"].to_numpy(bool),
        accepted=own["is_verified"].to_numpy(bool),
        val_accepted=np.array(val_accepted).reshape(len(targets), len(own)),
        subjects=sides[0],
        partners=sides[1],
        networks=np.repeat(np.arange(len(tables)), [len(table) for table in tables]),
    )
    intervals = verification_intervals(
        judged,
        thresholds=threshold_grid(metrics[0]["settings"]["distance"]),
        far_targets=[float(target) for target in targets],
        seed=_SEED,
    )
    by_target = {
        name: dict(zip(targets, map(_rounded, intervals[name]), strict=True)) for name in ("val_at_far", "tar_at_far")
    }
    return {name: _rounded(intervals[name]) for name in ("auc", "eer")} | by_target


def _val_accepted(pairs: pd.DataFrame, rate: dict) -> np.ndarray:
    """(N,) bool: whether a network's pairs are accepted at the thresholds of VAL at a FAR."""
    _, place = np.unique(pairs["fold"], return_inverse=True)
    return pairs["distance"].to_numpy() < np.array(rate["threshold_per_fold"])[place]


def _authentication_intervals(pairs: pd.DataFrame) -> dict[str, list[float] | None]:
    own = pairs[pairs["set"] == "expression"]
    is_accepted = own["is_accepted"].astype(bool)
    is_genuine = (own["is_same_identity"] & own["is_required_expression"]).astype(bool)
    return {
        "far": _pairs_interval(is_accepted[~is_genuine], own[~is_genuine]),
        "frr": _pairs_interval(~is_accepted[is_genuine], own[is_genuine]),
    }


def _pairs_interval(is_counted: pd.Series, pairs: pd.DataFrame) -> list[float] | None:
    return _interval_of(is_counted, pairs["input_subject"], pairs["reference_subject"])


def _interval_of(is_counted: pd.Series, *sides: pd.Series) -> list[float] | None:
    if any((side == "").any() for side in sides):
        return None
    try:
        interval = subject_bootstrap(is_counted.to_numpy(bool), *(side.to_numpy(str) for side in sides), seed=_SEED)
    except ProtocolError:
        return None
    return _rounded([interval.low, interval.high])


def _rounded(ends: list[float] | None) -> list[float] | None:
    return None if ends is None else [round(end, 6) for end in ends]
