"""The scores of the tasks beside identity and expression over the folds: the content of `tasks.json`. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from dwmtl.report.fold_results import FoldResult
from dwmtl.report.summary import Score, over_folds
from dwmtl.scores.metrics import DECIMALS, ClassMetrics, ColumnMetrics

TITLES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "f1": "F1",
    "ccc": "CCC",
    "mae": "MAE (lower is better)",
    "mse": "MSE (lower is better)",
}
"""A measure -> its name on the page; another measure has its own name."""


@dataclass(frozen=True, kw_only=True)
class TaskScore:
    """A measure of a task.

    Attributes:
        score: over the folds that have it, without an interval.
        chance: mean over these folds of a constant answer's; None where that is not computed.
        per_column: of a task with columns, means over the folds that have the column; None without one.
    """

    score: Score
    chance: float | None
    per_column: dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class TaskScores:
    """A task's scores by measure; `num_photos`: test photos with a label, by fold."""

    kind: str
    num_photos: list[int]
    scores: dict[str, TaskScore]


@dataclass(frozen=True, kw_only=True)
class FurtherTasks:
    """The tasks' scores, by name."""

    tasks: dict[str, TaskScores]


def further_tasks(folds: Sequence[FoldResult]) -> FurtherTasks | None:
    """Sum up the folds; None where identity and expression are the only tasks."""
    names = folds[0].metrics.further_tasks
    return FurtherTasks(tasks={name: _task_scores(folds, name) for name in names}) if names else None


def _task_scores(folds: Sequence[FoldResult], name: str) -> TaskScores:
    of_folds = [fold.metrics.further_tasks[name] for fold in folds]
    measured = [_measures(metrics) for metrics in of_folds]
    return TaskScores(
        kind=next((metrics.kind for metrics in of_folds if isinstance(metrics, ColumnMetrics)), "classes"),
        num_photos=[metrics.num_photos for metrics in of_folds],
        scores={
            measure: _over_folds([measures.get(measure, _NOTHING) for measures in measured])
            for measure in dict.fromkeys(measure for measures in measured for measure in measures)
        },
    )


_Measured = tuple[float | None, float | None, dict[str, float | None]]
"""A fold's score, that of a constant answer, and the score by column."""
_NOTHING: _Measured = (None, None, {})


def _measures(metrics: object) -> dict[str, _Measured]:
    """The measures that a fold has; none without a labelled photo."""
    if isinstance(metrics, ColumnMetrics):
        scores = metrics.scores.items()
        return {name: (s.mean, s.baseline, s.per_column) for name, s in scores if s.mean is not None}
    if isinstance(metrics, ClassMetrics):
        return {
            "accuracy": (metrics.accuracy, metrics.majority, {}),
            "balanced_accuracy": (metrics.balanced_accuracy, None, {}),
            "macro_f1": (metrics.macro_f1, None, {}),
        }
    return {}


def _over_folds(measured: list[_Measured]) -> TaskScore:
    """Over the folds, at least one of which has the measure."""
    columns = dict.fromkeys(column for _, _, per_column in measured for column in per_column)
    return TaskScore(
        score=over_folds([score for score, _, _ in measured], None),
        chance=_mean([chance for _, chance, _ in measured]),
        per_column={column: _mean([per_column.get(column) for _, _, per_column in measured]) for column in columns},
    )


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), DECIMALS) if known else None
