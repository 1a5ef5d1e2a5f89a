"""Weights from homoscedastic uncertainty: a log-variance per task, trained with the network."""

import torch
from torch import Tensor, nn

from dwmtl.weighting.weighting import Weighting, WeightingInput


class UncertaintyWeighting(Weighting):
    """Total loss: the sum over tasks of L_t / (2 e^s_t) + s_t / 2; s_t is a parameter. The weights are 1 / (2 e^s_t).

    A task without a label adds nothing to the loss, and its s_t has no gradient.

    Args:
        initial_log_variance: s_t at the start.
    Source: Kendall, Gal & Cipolla 2018 (CVPR), arXiv:1705.07115, with s = log sigma^2.
    """

    trains_with_network = True

    def __init__(self, num_tasks: int, *, initial_log_variance: float):
        super().__init__()
        self.log_variances = nn.Parameter(torch.full((num_tasks,), initial_log_variance))

    def forward(self, given: WeightingInput) -> Tensor:
        return 1 / (2 * self.log_variances.exp())

    def masked(self, task_weights: Tensor, has_label: Tensor) -> Tensor:
        return task_weights * has_label

    def penalty(self, given: WeightingInput) -> Tensor:
        return (self.log_variances * given.has_label).sum() / 2
