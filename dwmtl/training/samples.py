"""The samples of a fold's training: crops of one set or of both, with the labels that each of them has."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dwmtl.crops.aligned import crop_paths
from dwmtl.errors import ProtocolError
from dwmtl.network.kinds import make_kind
from dwmtl.network.network import EXPRESSION, IDENTITY
from dwmtl.network.task_kind import ColumnKind, TaskKind
from dwmtl.training.losses import EXPRESSION_SHARES, NO_LABEL
from dwmtl.training.task_params import AnyTaskParams
from dwmtl.training.votes import require_head_for_votes, vote_shares


@dataclass(frozen=True)
class Samples:
    """N training samples with the labels of T tasks.

    Attributes:
        paths: the crops' files.
        classes: a task's name -> its class names in the order of the logits, or its columns where its kind is another.
        labels: a task's name -> (N,) class indices, NO_LABEL where a sample has none; or (N, columns), see `labels_of`
            of its kind; and `losses.EXPRESSION_SHARES` where people voted on the expressions.
        kinds: a task's name -> its kind.
    """

    paths: list[Path]
    classes: dict[str, list[str]]
    labels: dict[str, np.ndarray]
    kinds: dict[str, TaskKind]

    def unseen_classes(self) -> dict[str, list[str]]:
        """By task, the classes or columns that no sample shows; tasks without any are left out."""
        unseen = {}
        for task, names in self.classes.items():
            kind, labels = self.kinds[task], self.labels[task]
            seen = np.flatnonzero(kind.is_shown(labels).any(axis=0)) if isinstance(kind, ColumnKind) else labels
            unseen[task] = [names[index] for index in np.setdiff1d(np.arange(len(names)), seen)]
        return {task: names for task, names in unseen.items() if names}


def with_face(aligned_dir: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows whose photo has a crop with a face found, with the crop's file as column `path`."""
    paths = crop_paths(aligned_dir, rows["photo"], status=("aligned",))
    rows = rows.assign(path=[aligned_dir / path for path in paths])
    return rows[(paths != "").to_numpy()]


def fold_samples(
    expression_rows: pd.DataFrame,
    identity_rows: pd.DataFrame | None,
    tasks: dict[str, AnyTaskParams],
    *,
    expressions: list[str],
    all_labels: pd.DataFrame,
) -> Samples:
    """The samples of a fold.

    Args:
        expression_rows: training rows of the expression set from `with_face`; an empty cell of a task's column is no
            label, so a row without a subject trains the other tasks alone.
        identity_rows: rows of the identity set from `with_face` (columns subject, path), which have no label but the
            identity. None: the set is not trained on.
        expressions: class names of the expression task; a row whose expression is not among them has no such label.
        all_labels: the expression set's rows of every fold, whose values are the classes of the further tasks.
    Raises:
        ProtocolError: a task's column is missing, has fewer than two classes, or a cell that is no label of its kind.
    """
    parts = [expression_rows]
    if identity_rows is not None:
        parts.append(identity_rows[["path", "subject"]])
    rows = pd.concat(parts, ignore_index=True)
    classes: dict[str, list[str]] = {}
    labels: dict[str, np.ndarray] = {}
    kinds = {name: make_kind(task.kind, task.range) for name, task in tasks.items()}
    for name, task in tasks.items():
        _require_columns(name, task, all_labels)
        if isinstance(kind := kinds[name], ColumnKind):
            _require_labels(name, kind, task.columns, all_labels)
            classes[name], labels[name] = task.columns, kind.labels_of(rows, task.columns)
            continue
        column = task.columns[0]
        # identities are the fold's training subjects; the classes of other tasks are the same in every fold
        values = rows if name == IDENTITY else all_labels
        classes[name] = expressions if name == EXPRESSION else sorted(set(values[column].dropna()) - {""})
        if len(classes[name]) < 2:
            raise ProtocolError(
                f"task {name}: {len(classes[name])} classes in the column {column}; at least 2 are needed. Look at "
                "tasks and labels.num_folds in params.yaml."
            )
        labels[name] = class_indices(rows[column], classes[name])
    shares = vote_shares(rows, labels[EXPRESSION], classes[EXPRESSION])
    if shares is not None:
        require_head_for_votes(tasks[EXPRESSION].head)
        labels[EXPRESSION_SHARES] = shares
    return Samples(rows["path"].tolist(), classes, labels, kinds)


def _require_columns(name: str, task: AnyTaskParams, all_labels: pd.DataFrame) -> None:
    if missing := [column for column in task.columns if column not in all_labels]:
        raise ProtocolError(
            f"tasks.{name}.labels is {', '.join(missing)}, and the expression set has no such column. It has: "
            f"{', '.join(all_labels.columns)}."
        )


def _require_labels(name: str, kind: ColumnKind, columns: list[str], all_labels: pd.DataFrame) -> None:
    """Refuse a cell of any fold that is no label, and a column without a label in any fold."""
    has_label = np.isfinite(kind.labels_of(all_labels, columns)).any(axis=0)
    if empty := [column for column, has_some in zip(columns, has_label, strict=True) if not has_some]:
        raise ProtocolError(
            f"task {name}: no photo of the expression set has a label in the column {', '.join(empty)}. Take it out of "
            f"tasks.{name}.labels, or label photos."
        )


def class_indices(names: pd.Series, classes: list[str]) -> np.ndarray:
    """Class index of each name, NO_LABEL for a name that is no class."""
    return names.map({name: index for index, name in enumerate(classes)}).fillna(NO_LABEL).to_numpy().astype(np.int64)
