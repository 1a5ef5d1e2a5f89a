"""Smooth Tchebycheff scalarisation: the weight goes to the largest loss."""

import torch
from torch import Tensor

from dwmtl.weighting.weighting import Weighting, WeightingInput


class StchWeighting(Weighting):
    """The gradient of mu log(sum over tasks of exp(L_t / mu)), a smooth maximum: weights softmax(L / mu), constants.

    They sum to 1. Every task has the preference 1 and the ideal loss 0.

    Args:
        mu: > 0, nats; the smaller, the closer to the maximum.
    Source: Lin et al. 2024 (ICML), arXiv:2402.19078.
    """

    def __init__(self, *, mu: float):
        super().__init__()
        self.mu = mu

    def forward(self, given: WeightingInput) -> Tensor:
        scaled = given.task_losses.detach() / self.mu
        return torch.softmax(scaled.masked_fill(~given.has_label, -torch.inf), dim=0).nan_to_num(nan=0.0)
