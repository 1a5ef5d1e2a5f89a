"""The scores of the tasks beside identity and expression, by their kinds. Opens no file."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dwmtl.evaluation.embedding import Answered
from dwmtl.network.task_kind import ColumnKind, TaskKind
from dwmtl.scores.classification import score_classes
from dwmtl.scores.metrics import ClassMetrics, ColumnMetrics, NoPhotos, class_metrics, column_metrics

TaskMetrics = ClassMetrics | ColumnMetrics | NoPhotos


@dataclass(frozen=True)
class FurtherTask:
    """A task beside identity and expression.

    Attributes:
        kind_name: as `params.yaml` has it.
        columns: of its labels; one column where it is of classes.
        names: of its outputs, in their order: of its classes, or the columns.
    """

    kind: TaskKind
    kind_name: str
    columns: list[str]
    names: list[str]


def further_task_metrics(
    tasks: Mapping[str, FurtherTask], labels: pd.DataFrame, answered: Answered
) -> dict[str, TaskMetrics]:
    """Score each task over the photos that have a label of it.

    Args:
        labels: the rows of the fold's test subjects, with the tasks' columns.
        answered: for the photos of `labels`.
    Raises:
        ProtocolError: a photo with a label has no crop, or a cell is no label of its task's kind.
    """
    metrics: dict[str, TaskMetrics] = {}
    for name, task in tasks.items():
        kind = task.kind
        if isinstance(kind, ColumnKind):
            metrics[name] = _of_columns(name, task, kind, labels, answered)
        else:
            metrics[name] = _of_classes(name, task, labels, answered)
    return metrics


def _of_classes(name: str, task: FurtherTask, labels: pd.DataFrame, answered: Answered) -> TaskMetrics:
    column = task.columns[0]
    shown = labels[labels[column].isin(task.names)]
    if shown.empty:
        return NoPhotos()
    actual = shown[column].map({name: index for index, name in enumerate(task.names)}).to_numpy()
    predicted = answered.of_task(name, shown["photo"]).argmax(axis=1)
    return class_metrics(score_classes(actual, predicted, task.names))


def _of_columns(
    name: str, task: FurtherTask, kind: ColumnKind, labels: pd.DataFrame, answered: Answered
) -> TaskMetrics:
    actual = kind.labels_of(labels, task.columns)  # (N, K)
    has_label = np.isfinite(actual)
    is_labelled = has_label.any(axis=1)
    if not is_labelled.any():
        return NoPhotos()
    answers = np.full(actual.shape, np.nan)
    answers[is_labelled] = answered.of_task(name, labels.loc[is_labelled, "photo"])
    scores = {
        column: kind.score(actual[has, k].astype(float), answers[has, k])
        for k, (column, has) in enumerate(zip(task.columns, has_label.T, strict=True))
        if has.any()
    }
    counts = {column: int(has.sum()) for column, has in zip(task.columns, has_label.T, strict=True)}
    return column_metrics(task.kind_name, int(is_labelled.sum()), counts, scores)
