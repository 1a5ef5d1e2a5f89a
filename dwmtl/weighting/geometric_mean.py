"""The geometric mean of the losses: a task's weight is the inverse of its loss."""

import torch
from torch import Tensor

from dwmtl.weighting.weighting import Weighting, WeightingInput

_SMALLEST_LOSS = 1e-8


class GeometricMeanWeighting(Weighting):
    """The gradient of M = (product over the T labelled tasks of L_t)^(1/T): weights M / (T L_t), constants of the step.

    Source: Chennupati et al. 2019 (CVPR Workshops), arXiv:1904.08492.
    """

    def forward(self, given: WeightingInput) -> Tensor:
        losses = given.task_losses.detach().clamp(min=_SMALLEST_LOSS)
        num_tasks = given.has_label.sum().clamp(min=1)
        mean = torch.exp((losses.log() * given.has_label).sum() / num_tasks)
        return mean / (num_tasks * losses)

    def masked(self, task_weights: Tensor, has_label: Tensor) -> Tensor:
        return task_weights * has_label
