"""All folds summed up: `metrics/details.json`, and its part `metrics/summary.json`, the numbers that people compare.

docs/evaluation.md explains each key, which a test checks. Fractions are rounded to six decimals. There is no time,
host, commit or run id: the same results give the same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from dwmtl.report.fold_results import FoldResult, StartResult
from dwmtl.scores.bootstrap import Ends
from dwmtl.scores.classification import ClassScore, score_classes
from dwmtl.scores.headlines import COMPARED, HEADLINES
from dwmtl.scores.intervals import gain_interval, score_intervals
from dwmtl.scores.metrics import DECIMALS, AuthenticationMetrics

VAL_AT_FAR = "verification_val_at_far_"
"""Followed by the target, one of `evaluate.far_targets`."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """A score over the folds.

    Attributes:
        mean, std: over the folds that have the score; population deviation.
        per_fold: in the order of the folds; None for a fold without the score.
        interval: 95 %, over the pooled decisions of all folds; None where it cannot be computed.
    """

    mean: float
    std: float
    per_fold: list[float | None]
    interval: Ends | None = None


@dataclass(frozen=True, kw_only=True)
class ClassOverFolds:
    """The share of an expression's photos that is classified correctly; `pooled`: over all folds' photos."""

    mean: float
    std: float
    per_fold: list[float | None]
    pooled: float


@dataclass(frozen=True, kw_only=True)
class PooledExpressions:
    """All folds' test photos as one test set; `confusion`: counts, rows actual, columns predicted."""

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    num_photos: int
    classes: list[str]
    confusion: list[list[int]]


@dataclass(frozen=True, kw_only=True)
class BestOnValidation:
    """The epochs that were best on the validation subjects: their numbers, from 0, and the compared scores."""

    epoch_per_fold: list[int | None]
    scores: dict[str, Score]


@dataclass(frozen=True, kw_only=True)
class ComparedWithStart:
    """The folds' networks compared with the model that they started from, on the verification set.

    Attributes:
        verification_accuracy, verification_accuracy_interval: the start's.
        verification_gain: a fold's accuracy minus the start's, on the same pairs; negative where the fold forgot. The
            interval is paired.
    """

    verification_accuracy: float
    verification_accuracy_interval: Ends | None
    verification_gain: Score


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The summary of all folds.

    Attributes:
        folds: numbers of the folds.
        scores: the headline scores that there are, and VAL at each target, by key.
        chance: a key of `scores` -> the score of a constant prediction.
    """

    folds: list[int]
    scores: dict[str, Score]
    expression_pooled: PooledExpressions
    expression_per_class: dict[str, ClassOverFolds]
    best_on_validation: BestOnValidation | None
    start: ComparedWithStart
    chance: dict[str, float]


def summarize(folds: Sequence[FoldResult], start: StartResult) -> Summary:
    """Sum up the folds, in their order."""
    predictions = pd.concat([fold.predictions for fold in folds])
    return Summary(
        folds=[fold.number for fold in folds],
        scores=_scores(folds, predictions),
        expression_pooled=_pooled(predictions),
        expression_per_class=_per_class(predictions, [fold.predictions for fold in folds]),
        best_on_validation=_best_on_validation(folds),
        start=_compared_with_start(folds, start),
        chance={
            "expression_accuracy": _mean([fold.metrics.expression.majority for fold in folds]),
            "verification_accuracy": _mean([_constant_accuracy(fold) for fold in folds]),
            **_chance_of_authentication(folds),
        },
    )


def compared_numbers(summary: Summary) -> dict[str, float]:
    """The content of `summary.json`: the scores by which experiments are compared, in a flat dict.

    `<score>`, the ends of its interval `<score>_low` and `<score>_high`, and `best_<score>` of the epochs that were
    best on the validation subjects. Missing values are left out.
    """
    numbers = flat_scores(_compared(summary.scores))
    best = summary.best_on_validation
    return numbers | ({f"best_{key}": score.mean for key, score in best.scores.items()} if best else {})


def flat_scores(scores: Mapping[str, Score]) -> dict[str, float]:
    """`<score>` -> its mean over the folds; `<score>_low`, `<score>_high` -> the ends of its interval, if any."""
    flat: dict[str, float] = {}
    for key, score in scores.items():
        flat[key] = score.mean
        if score.interval:
            flat[f"{key}_low"], flat[f"{key}_high"] = score.interval
    return flat


def _scores(folds: Sequence[FoldResult], predictions: pd.DataFrame) -> dict[str, Score]:
    intervals = score_intervals(predictions, [fold.pairs for fold in folds], [fold.metrics for fold in folds])
    metrics, ends_of = [asdict(fold.metrics) for fold in folds], asdict(intervals)
    scores = {
        headline.key: over_folds(
            [headline.of(of_fold) for of_fold in metrics],
            ends_of[headline.section].get(headline.field.removesuffix("_mean")),
        )
        for headline in HEADLINES
        if any(headline.of(of_fold) is not None for of_fold in metrics)
    }
    for target in folds[0].metrics.verification.val_at_far:
        vals = [fold.metrics.verification.val_at_far[target].val_mean for fold in folds]
        scores[f"{VAL_AT_FAR}{target}"] = over_folds(vals, intervals.verification.val_at_far[float(target)])
    return scores


def _compared(scores: Mapping[str, Score]) -> dict[str, Score]:
    return {headline.key: scores[headline.key] for headline in COMPARED if headline.key in scores}


def _chance_of_authentication(folds: Sequence[FoldResult]) -> dict[str, float]:
    """Empty where no fold has pairs of its test subjects."""
    rejected = [
        fold.metrics.authentication.always_reject
        for fold in folds
        if isinstance(fold.metrics.authentication, AuthenticationMetrics)
    ]
    return {"authentication_accuracy": _mean(rejected)} if rejected else {}


def _best_on_validation(folds: Sequence[FoldResult]) -> BestOnValidation | None:
    """None where a fold had no validation subjects."""
    best = [fold.best for fold in folds if fold.best]
    if len(best) < len(folds):
        return None
    scores = _scores(best, pd.concat([fold.predictions for fold in best]))
    return BestOnValidation(
        epoch_per_fold=[fold.training.best_epoch for fold in folds],
        scores=_compared(scores),
    )


def _compared_with_start(folds: Sequence[FoldResult], start: StartResult) -> ComparedWithStart:
    before = start.metrics.accuracy_mean
    pairs = [fold.pairs[fold.pairs["set"] == "verification"] for fold in folds]
    return ComparedWithStart(
        verification_accuracy=before,
        verification_accuracy_interval=start.metrics.accuracy_interval,
        verification_gain=over_folds(
            [round(fold.metrics.verification.accuracy_mean - before, DECIMALS) for fold in folds],
            gain_interval(start.pairs, pairs),
        ),
    )


def over_folds(values: Sequence[float | None], interval: Ends | None) -> Score:
    """A score from its value in each fold."""
    return Score(mean=_mean(values), std=_std(values), per_fold=list(values), interval=interval)


def _mean(values: Sequence[float | None]) -> float:
    return round(float(np.mean([value for value in values if value is not None])), DECIMALS)


def _std(values: Sequence[float | None]) -> float:
    return round(float(np.std([value for value in values if value is not None])), DECIMALS)


def _pooled(predictions: pd.DataFrame) -> PooledExpressions:
    classes = _classes(predictions)
    score = _score(predictions, classes)
    return PooledExpressions(
        accuracy=round(score.accuracy, DECIMALS),
        balanced_accuracy=round(score.balanced_accuracy, DECIMALS),
        macro_f1=round(score.macro_f1, DECIMALS),
        num_photos=len(predictions),
        classes=classes,
        confusion=score.confusion.tolist(),
    )


def _per_class(pooled: pd.DataFrame, per_fold: list[pd.DataFrame]) -> dict[str, ClassOverFolds]:
    classes = _classes(pooled)
    folds = [_score(predictions, classes).per_class for predictions in per_fold]
    shares = {name: [fold.get(name) for fold in folds] for name in classes}
    return {
        name: ClassOverFolds(
            mean=_mean(shares[name]),
            std=_std(shares[name]),
            per_fold=[None if share is None else round(share, DECIMALS) for share in shares[name]],
            pooled=round(share_of_all, DECIMALS),
        )
        for name, share_of_all in _score(pooled, classes).per_class.items()
    }


def _classes(predictions: pd.DataFrame) -> list[str]:
    return sorted({*predictions["expression"], *predictions["predicted"]})


def _score(predictions: pd.DataFrame, classes: list[str]) -> ClassScore:
    number = {name: index for index, name in enumerate(classes)}
    return score_classes(
        predictions["expression"].map(number).to_numpy(), predictions["predicted"].map(number).to_numpy(), classes
    )


def _constant_accuracy(fold: FoldResult) -> float:
    """Accuracy on the verification set of always predicting the more frequent kind of pair."""
    share = fold.pairs.loc[fold.pairs["set"] == "verification", "is_same_identity"].astype(bool).mean()
    return max(share, 1 - share)
