"""The kind `regression`: values in a range, such as valence and arousal, or an age."""

import numpy as np
import torch
from torch import Tensor

from dwmtl.network.task_kind import ColumnKind, Sum, mean_over_labelled_cells

_LEAST_SPREAD = 1e-8
"""Of a batch, in units of half the range, squared: below it, outputs and labels are one constant but for rounding."""


class Regression(ColumnKind):
    """K values. The head's numbers are the values scaled to -1..1, so that no unit makes a loss large.

    Args:
        low, high: lowest and highest value; an answer is clipped to them.
    """

    def __init__(self, low: float, high: float):
        self.low, self.high = low, high
        self.middle, self.unit = (low + high) / 2, (high - low) / 2
        self.cells = f"a number from {low:g} to {high:g}, or empty"

    def is_label(self, value: float) -> bool:
        """Whether it is in the range."""
        return self.low <= value <= self.high

    def chance_loss(self, num_outputs: int) -> float:
        """1, that of `ccc` without concordance; also for `mse` and `mae`, whose chance the labels decide."""
        return 1.0

    def answers(self, outputs: Tensor) -> Tensor:
        """In the unit of the labels."""
        return (outputs * self.unit + self.middle).clamp(self.low, self.high)

    def loss(self, outputs: Tensor, labels: Tensor, *, name: str, over_processes: Sum) -> tuple[Tensor, Tensor]:
        """`ccc`: 1 - the concordance correlation, the mean over the columns; `mse`, `mae`: the mean over all labels of
        the squared or absolute difference, in units of half the range."""
        scaled = (labels - self.middle) / self.unit
        if name == "ccc":
            return concordance_loss(outputs, scaled, over_processes)
        differences = outputs - scaled.nan_to_num(0)
        values = differences.square() if name == "mse" else differences.abs()
        return mean_over_labelled_cells(values, labels, over_processes)

    def score(self, actual: np.ndarray, answered: np.ndarray) -> dict[str, tuple[float, float] | None]:
        """`ccc`, `mae` and `mse` of a column, in the unit of the labels; CCC is not defined for fewer than two photos.

        The constant answers: any (CCC); the median (MAE) and the mean (MSE) of these very labels.
        """
        actual, answered = actual.astype(float), answered.astype(float)
        difference = actual - answered
        return {
            "ccc": (concordance(actual, answered), 0.0) if len(actual) > 1 else None,
            "mae": (float(np.abs(difference).mean()), float(np.abs(actual - np.median(actual)).mean())),
            "mse": (float(np.square(difference).mean()), float(actual.var())),
        }


def concordance(actual: np.ndarray, answered: np.ndarray) -> float:
    """Concordance correlation coefficient of N values with theirs, in [-1, 1]; higher is better.

    2 cov(x, y) / (var x + var y + (mean x - mean y)^2), with population moments; 0 where either is constant, also where
    both are the same constant, since nothing varies to agree on.

    Args:
        actual, answered: (N,) float.
    Source: Lin 1989 (Biometrics 45, 255-268).
    """
    if np.ptp(actual) == 0 or np.ptp(answered) == 0:
        return 0.0
    covariance = ((actual - actual.mean()) * (answered - answered.mean())).mean()
    return float(2 * covariance / (actual.var() + answered.var() + (actual.mean() - answered.mean()) ** 2))


def concordance_loss(outputs: Tensor, labels: Tensor, over_processes: Sum) -> tuple[Tensor, Tensor]:
    """1 - the concordance correlation of a batch, the mean over the columns with two labels or more; and whether there
    is such a column: scalars, the loss in [0, 2], and 0 without one.

    A column where outputs or labels are constant has the correlation 0. The means that values are centred by carry no
    gradient: at the mean, the sums of squares and of products do not change with it.

    Args:
        outputs: (B, K), this process's part of the batch. labels: (B, K), NaN where missing.
    """
    has_label = labels.isfinite()
    counts = over_processes(has_label.sum(dim=0))  # (K,)
    is_counted = counts > 1
    divisors = counts.clamp(min=1)
    x, y = (torch.where(has_label, values, 0) for values in (outputs, labels))
    mean_x, mean_y = (over_processes(values.sum(dim=0)) / divisors for values in (x, y))
    x, y = ((values - mean.detach()) * has_label for values, mean in ((x, mean_x), (y, mean_y)))
    covariance, *variances = (over_processes(each.sum(dim=0)) / divisors for each in (x * y, x.square(), y.square()))
    spread = sum(variances) + (mean_x - mean_y).square()
    losses = 1 - 2 * covariance / spread.clamp(min=_LEAST_SPREAD)
    num_columns = is_counted.sum()
    return torch.where(is_counted, losses, 0).sum() / num_columns.clamp(min=1), num_columns > 0
