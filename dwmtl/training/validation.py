"""Accuracy and loss of a network in training on the validation subjects. Knows nothing of test folds."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from dwmtl.network.network import EXPRESSION, FaceNetwork, NetworkOutput
from dwmtl.training.crops import CropDataset
from dwmtl.training.distribution import of_first_process
from dwmtl.training.losses import cross_entropy

VALIDATION = ("epoch", "accuracy", "loss")
"""Columns of `validation.csv`, a row per epoch: the expression task's accuracy (higher is better) and mean
cross-entropy (nats, lower is better) on the validation subjects."""


@dataclass(frozen=True)
class Validation:
    """The validation subjects' crops.

    Attributes:
        dataset: labels of the expression task alone, every sample with one.
        batch_size: crops at a time.
    """

    dataset: CropDataset
    batch_size: int

    def score(self, network: FaceNetwork, device: torch.device) -> dict[str, float]:
        """`accuracy` and `loss` of a network, the first process's in all; it is left in inference mode, and its weights
        as they are."""
        network.eval()
        with torch.no_grad():
            parts = [_outcome(network(crops), labels) for crops, labels in self._batches(network, device)]
        is_correct, losses = (torch.cat(values) for values in zip(*parts, strict=True))
        scores = {"accuracy": float(is_correct.float().mean()), "loss": float(losses.mean())}
        return of_first_process(scores, device)  # so that all keep the same epoch

    def _batches(self, network: FaceNetwork, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        for crops, labels, _ in DataLoader(self.dataset, self.batch_size):
            crops = network.standardize(crops.to(device)).contiguous(memory_format=torch.channels_last)
            yield crops, labels[EXPRESSION].to(device)


def _outcome(output: NetworkOutput, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Whether each sample is classified correctly, and its loss: (B,) each."""
    logits = output.logits[EXPRESSION]
    return logits.argmax(dim=1) == labels, cross_entropy(logits, labels)


def is_better(row: dict[str, float], than: dict[str, float] | None) -> bool:
    """Whether an epoch is better: a higher accuracy, or the same and a lower loss. Of equal epochs the first stays."""
    return than is None or _rank(row) > _rank(than)


def _rank(row: dict[str, float]) -> tuple[float, float]:
    return row["accuracy"], -row["loss"] if math.isfinite(row["loss"]) else -math.inf


def validation_table(rows: list[dict[str, float]]) -> pd.DataFrame:
    """The rows of all epochs, columns `VALIDATION`; rounded to six decimals."""
    return pd.DataFrame(rows, columns=list(VALIDATION)).round(6)
