"""The kind `multi_label`: labels that are shown or not, each for itself, such as action units."""

import math

import numpy as np
from torch import Tensor
from torch.nn import functional

from dwmtl.network.task_kind import ColumnKind, Sum, mean_over_labelled_cells

THRESHOLD = 0.5
"""Probability from which a label counts as shown."""


class MultiLabel(ColumnKind):
    """Logits of K labels, each 1 where it is shown and 0 where it is not; the answers are probabilities."""

    cells = "0, 1 or empty"

    def is_label(self, value: float) -> bool:
        """0 or 1."""
        return value in (0, 1)

    def is_shown(self, labels: np.ndarray) -> np.ndarray:
        """Of labels of any shape, whether they are 1."""
        return labels == 1

    def chance_loss(self, num_outputs: int) -> float:
        """ln 2, of each label."""
        return math.log(2)

    def answers(self, outputs: Tensor) -> Tensor:
        """Each in [0, 1], for itself."""
        return outputs.sigmoid()

    def loss(self, outputs: Tensor, labels: Tensor, *, name: str, over_processes: Sum) -> tuple[Tensor, Tensor]:
        """Binary cross-entropy, nats: the mean over all labels of the batch."""
        values = functional.binary_cross_entropy_with_logits(outputs, labels.nan_to_num(0), reduction="none")
        return mean_over_labelled_cells(values, labels, over_processes)

    def score(self, actual: np.ndarray, answered: np.ndarray) -> dict[str, tuple[float, float] | None]:
        """`f1` and `accuracy` of a label at THRESHOLD; F1 is not defined where no photo shows the label.

        F1 = 2 TP / (2 TP + FP + FN). The constant answers: shown, always (F1); the more frequent one (accuracy).
        """
        is_shown, is_answered = actual == 1, answered >= THRESHOLD
        share, num_both = float(is_shown.mean()), float((is_shown & is_answered).sum())
        accuracy = float((is_shown == is_answered).mean())
        f1 = 2 * num_both / float(is_shown.sum() + is_answered.sum()) if share else None
        return {
            "f1": None if f1 is None else (f1, 2 * share / (1 + share)),
            "accuracy": (accuracy, max(share, 1 - share)),
        }
