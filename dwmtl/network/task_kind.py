"""A kind of task: what the cells of its columns and the numbers of its head mean. Opens no file, knows no network.

A kind is one file: `classes`, `multi_label`, `regression`. Classes have their labels, margins and scores where the
expression has them (training, scores); every other kind has its own in its file, see `ColumnKind`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dwmtl.errors import ProtocolError

Sum = Callable[[Tensor], Tensor]
"""The sum of a tensor over the processes of a training; its gradient reaches each process's own values unchanged."""


class TaskKind(ABC):
    """What the numbers of a head mean."""

    unit: float = 1.0
    """By how much an answer may differ where the head's numbers differ by 1."""

    @abstractmethod
    def chance_loss(self, num_outputs: int) -> float:
        """Loss of a task that is guessed, nats; of a head with so many outputs."""

    @abstractmethod
    def answers(self, outputs: Tensor) -> Tensor:
        """(B, C), as the head gives them -> (B, C), as they are answered."""


class ColumnKind(TaskKind):
    """A kind with an output per column of labels. A label is a number, NaN where it is missing."""

    cells: str
    """What a cell may hold, for errors."""

    @abstractmethod
    def is_label(self, value: float) -> bool:
        """Whether a finite number can be a label."""

    def is_shown(self, labels: np.ndarray) -> np.ndarray:
        """Of labels of any shape, whether a photo has one that a network can learn to answer."""
        return np.isfinite(labels)

    @abstractmethod
    def loss(self, outputs: Tensor, labels: Tensor, *, name: str, over_processes: Sum) -> tuple[Tensor, Tensor]:
        """The loss of a batch, and whether it has labels to learn from: scalars; the loss is 0 where it has not.

        Args:
            outputs: (B, K), as the head gives them, this process's part of the batch.
            labels: (B, K), NaN where missing.
            name: one of the names that the kind's section of `params.yaml` allows.
        """

    @abstractmethod
    def score(self, actual: np.ndarray, answered: np.ndarray) -> dict[str, tuple[float, float] | None]:
        """A column's scores: a measure -> the score, and that of a constant answer; None where it is not defined.

        Args:
            actual, answered: (N,), N > 0, without missing labels.
        """

    def labels_of(self, table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
        """(N, K) float32, the cells of K columns as numbers; NaN for an empty or missing cell.

        Args:
            table: text, with a column photo or path.
        Raises:
            ProtocolError: a cell holds something else; the message names the photo.
        """
        return np.stack([self._column(table, column) for column in columns], axis=1).astype(np.float32)

    def _column(self, table: pd.DataFrame, column: str) -> np.ndarray:
        cells = table[column].fillna("").astype(str)
        number_of = {text: self._number(text) for text in cells.unique()}
        wrong = cells[cells.map(lambda text: number_of[text] is None)]
        if len(wrong):
            where = table.loc[wrong.index[0], "photo" if "photo" in table else "path"]
            raise ProtocolError(
                f"{where}: the column {column} holds {wrong.iloc[0][:40]!r}; must be {self.cells}. Correct the set's "
                "table."
            )
        return cells.map(number_of).to_numpy(float)

    def _number(self, text: str) -> float | None:
        """NaN for an empty cell, None for one that is no label."""
        if not text:
            return math.nan
        try:
            value = float(text)
        except ValueError:
            return None
        return value if math.isfinite(value) and self.is_label(value) else None


def mean_over_labelled_cells(values: Tensor, labels: Tensor, over_processes: Sum) -> tuple[Tensor, Tensor]:
    """Mean of (B, K) values where (B, K) labels are not NaN, 0 where all are; and whether there is one: scalars."""
    has_label = labels.isfinite()
    count = over_processes(has_label.sum())
    return over_processes(torch.where(has_label, values, 0).sum()) / count.clamp(min=1), count > 0
