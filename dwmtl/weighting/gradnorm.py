"""GradNorm: weights that make all tasks train at a similar rate, from their gradients at the last shared layer."""

import torch
from torch import Tensor, nn

from dwmtl.weighting.weighting import Weighting, WeightingInput, renormalize

_SMALLEST_WEIGHT = 1e-3


class GradNormWeighting(Weighting):
    """The weights are parameters, kept >= 0.001 and scaled to sum to T before every step.

    They minimise the sum over tasks of | G_t - mean(G) * r_t^alpha |, where G_t is the norm of the gradient of w_t L_t
    at the last shared layer, r_t = (L_t / L_t(first step)) / mean over tasks of the same, and the second term is
    detached. Tasks without a label in the batch are left out.

    Args:
        alpha: >= 0; how strongly tasks that train slowly are favoured.
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

    def masked(self, task_weights: Tensor, has_label: Tensor) -> Tensor:
        """The factor that keeps their sum is a constant: a task without a label has no gradient through it."""
        weights = task_weights.detach()
        return task_weights * (renormalize(weights, has_label) / weights)

    def weighting_loss(self, task_weights: Tensor, given: WeightingInput) -> Tensor:
        assert given.gramian is not None  # the step computes it for a rule with `gradients_of`
        labelled = given.has_label
        norms = task_weights[labelled] * given.gramian.diagonal()[labelled].clamp(min=0).sqrt()
        progress = given.task_losses.detach()[labelled] / self.first_losses[labelled].clamp(min=1e-12)
        rate = progress / progress.mean().clamp(min=1e-12)
        target = (norms.mean() * rate**self.alpha).detach()
        return (norms - target).abs().sum()
