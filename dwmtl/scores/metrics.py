"""The metrics of a fold's network, the content of `metrics.json`. docs/evaluation.md explains each key.

Fractions, rounded to six decimals. An interval is the two ends of a 95 % confidence interval, or None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dwmtl.scores.authentication import Authentication
from dwmtl.scores.bootstrap import Ends
from dwmtl.scores.classification import ClassScore
from dwmtl.scores.threshold import ComparisonSettings
from dwmtl.scores.verification import ValidationRate, Verification, tar_at

DECIMALS = 6

ScoresByColumn = Mapping[str, Mapping[str, tuple[float, float] | None]]
"""A column -> a measure -> the score and that of a constant answer; None where it is not defined."""


@dataclass(frozen=True, kw_only=True)
class ClassMetrics:
    """Scores of a task's predicted classes over the photos with a label; see `ClassScore`."""

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    majority: float
    num_photos: int
    per_class: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class NoPhotos:
    """Stands for the scores of a further task without a labelled test photo in the fold."""

    num_photos: int = 0


@dataclass(frozen=True, kw_only=True)
class NoPairs:
    """Stands for the scores of pairs of a fold's test subjects where no test photo has a subject."""

    num_pairs: int = 0


@dataclass(frozen=True, kw_only=True)
class ColumnScore:
    """A measure of a further task with a column per output; None for a column, or a mean, that is not defined.

    Attributes:
        mean: over the columns that have it.
        baseline: mean over the same columns of a constant answer's.
    """

    mean: float | None
    baseline: float | None
    per_column: dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class ColumnMetrics:
    """Scores of a further task that is not of classes, over the photos with a label.

    Attributes:
        kind: `tasks.<name>.kind`.
        num_photos: with a label in at least one column; `num_labels`: with one in each column.
        scores: by measure; those in the unit of the labels are no fractions.
    """

    kind: str
    num_photos: int
    num_labels: dict[str, int]
    scores: dict[str, ColumnScore]


@dataclass(frozen=True, kw_only=True)
class ExpressionMetrics(ClassMetrics):
    """Scores of the expression task."""

    accuracy_interval: Ends | None = None
    balanced_accuracy_interval: Ends | None = None
    macro_f1_interval: Ends | None = None


@dataclass(frozen=True, kw_only=True)
class ValMetrics:
    """VAL at a FAR, over the blocks of pairs; see `ValidationRate`."""

    val_mean: float
    val_std: float
    far_mean: float
    threshold_per_fold: tuple[float, ...]
    interval: Ends | None = None


@dataclass(frozen=True, kw_only=True)
class TarMetrics:
    """TAR at a FAR, read off the mean ROC; see `tar_at`."""

    tar: float
    far: float
    interval: Ends | None = None


@dataclass(frozen=True, kw_only=True)
class VerificationMetrics:
    """Scores of a set's pairs, see `Verification`; `val_at_far` and `tar_at_far` by target, as text."""

    accuracy_mean: float
    accuracy_std: float
    auc: float
    eer: float
    num_pairs: int
    val_at_far: dict[str, ValMetrics]
    tar_at_far: dict[str, TarMetrics]
    accuracy_interval: Ends | None = None
    auc_interval: Ends | None = None
    eer_interval: Ends | None = None


@dataclass(frozen=True, kw_only=True)
class AuthenticationMetrics:
    """Scores of the challenges, the expression set's pairs; see `Authentication`."""

    accuracy: float
    far: float
    frr: float
    product: float
    always_reject: float
    accuracy_interval: Ends | None = None
    far_interval: Ends | None = None
    frr_interval: Ends | None = None


@dataclass(frozen=True, kw_only=True)
class CropCounts:
    """Evaluated photos of each set in which no face was found."""

    expression: int
    verification: int


@dataclass(frozen=True, kw_only=True)
class FoldMetrics:
    """All metrics of a fold's network.

    `expression_pairs` are the pairs of the fold's test subjects, by which authentication is scored; `verification`
    those of the verification set.
    """

    expression: ExpressionMetrics
    expression_pairs: VerificationMetrics | NoPairs
    further_tasks: dict[str, ClassMetrics | ColumnMetrics | NoPhotos]
    authentication: AuthenticationMetrics | NoPairs
    verification: VerificationMetrics
    num_fallback_crops: CropCounts
    settings: ComparisonSettings


def class_metrics(score: ClassScore) -> ClassMetrics:
    """Metrics of a further task."""
    return ClassMetrics(
        accuracy=_rounded(score.accuracy),
        balanced_accuracy=_rounded(score.balanced_accuracy),
        macro_f1=_rounded(score.macro_f1),
        majority=_rounded(score.majority),
        num_photos=int(score.confusion.sum()),
        per_class={name: _rounded(value) for name, value in score.per_class.items()},
    )


def column_metrics(kind: str, num_photos: int, num_labels: dict[str, int], scores: ScoresByColumn) -> ColumnMetrics:
    """Metrics of a further task that is not of classes; `scores`: of the columns that have a label."""
    measures = dict.fromkeys(measure for of_column in scores.values() for measure in of_column)
    return ColumnMetrics(
        kind=kind,
        num_photos=num_photos,
        num_labels=num_labels,
        scores={
            measure: _column_score({column: scores.get(column, {}).get(measure) for column in num_labels})
            for measure in measures
        },
    )


def _column_score(by_column: Mapping[str, tuple[float, float] | None]) -> ColumnScore:
    defined = [score for score in by_column.values() if score is not None]
    return ColumnScore(
        mean=_rounded(sum(score for score, _ in defined) / len(defined)) if defined else None,
        baseline=_rounded(sum(constant for _, constant in defined) / len(defined)) if defined else None,
        per_column={column: None if score is None else _rounded(score[0]) for column, score in by_column.items()},
    )


def expression_metrics(score: ClassScore) -> ExpressionMetrics:
    """Metrics of the expression task, without intervals."""
    return ExpressionMetrics(**vars(class_metrics(score)))


def verification_metrics(outcome: Verification, far_targets: Sequence[float]) -> VerificationMetrics:
    """Metrics of a set's pairs, without intervals."""
    return VerificationMetrics(
        accuracy_mean=_rounded(outcome.accuracy_mean),
        accuracy_std=_rounded(outcome.accuracy_std),
        auc=_rounded(outcome.auc),
        eer=_rounded(outcome.eer),
        num_pairs=len(outcome.distances),
        val_at_far={f"{rate.far_target:g}": _val_metrics(rate) for rate in outcome.val_at_far},
        tar_at_far={f"{target:g}": _tar_metrics(*tar_at(outcome, target)) for target in far_targets},
    )


def _val_metrics(rate: ValidationRate) -> ValMetrics:
    return ValMetrics(
        val_mean=_rounded(rate.val_mean),
        val_std=_rounded(rate.val_std),
        far_mean=_rounded(rate.far_mean),
        threshold_per_fold=tuple(map(_rounded, rate.threshold_per_fold)),
    )


def _tar_metrics(tar: float, far: float) -> TarMetrics:
    return TarMetrics(tar=_rounded(tar), far=_rounded(far))


def authentication_metrics(outcome: Authentication) -> AuthenticationMetrics:
    """Metrics of the challenges, without intervals."""
    return AuthenticationMetrics(
        accuracy=_rounded(outcome.accuracy),
        far=_rounded(outcome.far),
        frr=_rounded(outcome.frr),
        product=_rounded(outcome.product),
        always_reject=_rounded(outcome.always_reject),
    )


def _rounded(value: float) -> float:
    return round(value, DECIMALS)
