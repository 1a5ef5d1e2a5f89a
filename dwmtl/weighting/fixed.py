"""Constant task weights, such as equal weights or a single task."""

import torch
from torch import Tensor

from dwmtl.weighting.weighting import Weighting, WeightingInput


class FixedWeighting(Weighting):
    """The same weights at every step; `task_weights` (T,) are scaled to sum to 1."""

    task_weights: Tensor

    def __init__(self, task_weights: list[float]):
        super().__init__()
        weights = torch.tensor(task_weights, dtype=torch.float32)
        if not (weights >= 0).all() or weights.sum() <= 0:
            raise ValueError(f"task_weights must be non-negative and not all 0. Got {task_weights} instead.")
        self.register_buffer("task_weights", weights / weights.sum())

    def forward(self, given: WeightingInput) -> Tensor:
        return self.task_weights
