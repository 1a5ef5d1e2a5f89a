"""GradNorm: weights that bring the tasks' gradients at the last shared layer to a common rate of training."""

import torch
from torch import Tensor, nn

from dwmtl.weighting.weighting import Weighting, WeightingInput

_SMALLEST_WEIGHT = 1e-3


class GradNormWeighting(Weighting):
    """The weights are parameters, scaled to sum to T before every step and kept >= 0.001.

    They minimise the sum over tasks of | G_t - mean(G) * r_t^alpha |, where G_t is the norm of the gradient of w_t L_t
    at the last shared layer, r_t = (L_t / L_t(first step)) / mean over tasks of the same, and the second term is a
    constant. Tasks without a label in the batch take no part.

    Args:
        alpha: >= 0; how strongly slow tasks are pulled on.
    Source: Chen et al. 2018 (ICML), arXiv:1711.02257.
    """

    gradients_of = "last_layer"
    first_losses: Tensor

    def __init__(self, num_tasks: int, *, alpha: float):
        super().__init__()
        self.task_weights = nn.Parameter(torch.ones(num_tasks))
        self.alpha = alpha
        self.register_buffer("first_losses", torch.full((num_tasks,), torch.nan))

    def forward(self, given: WeightingInput) -> Tensor:
        with torch.no_grad():
            self.task_weights.clamp_(min=_SMALLEST_WEIGHT)
            self.task_weights.mul_(len(self.task_weights) / self.task_weights.sum())
            is_first = self.first_losses.isnan() & given.has_label
            self.first_losses[is_first] = given.task_losses.detach()[is_first]
        return self.task_weights

    def weighting_loss(self, task_weights: Tensor, given: WeightingInput) -> Tensor:
        labelled = given.has_label
        norms = task_weights[labelled] * given.gramian.diagonal()[labelled].clamp(min=0).sqrt()
        progress = given.task_losses.detach()[labelled] / self.first_losses[labelled].clamp(min=1e-12)
        rate = progress / progress.mean().clamp(min=1e-12)
        target = (norms.mean() * rate**self.alpha).detach()
        return (norms - target).abs().sum()
