"""FAMO: weights by which all losses fall at a similar rate, learned from how much the last step lowered each."""

import torch
from torch import Tensor, nn

from dwmtl.weighting.weighting import Weighting, WeightingInput

_SMALLEST_LOSS = 1e-8


class FamoWeighting(Weighting):
    """weights = c z_t / L_t, with z = softmax(logits) over the labelled tasks and c so that they sum to 1.

    The logits, 0 at the start, minimise the sum over tasks of z_t (log L_t before the step - log L_t after it), both on
    the same batch: a task whose loss fell less gets more weight.

    Source: Liu, Feng, Stone & Liu 2023 (NeurIPS), arXiv:2306.03792.
    """

    looks_back = True

    def __init__(self, num_tasks: int):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(num_tasks))

    def forward(self, given: WeightingInput) -> Tensor:
        shares = self._shares(given.has_label).detach() / given.task_losses.detach().clamp(min=_SMALLEST_LOSS)
        shares = shares * given.has_label
        return shares / shares.sum().clamp(min=torch.finfo(shares.dtype).tiny)

    def look_back(self, before: Tensor, after: Tensor, has_label: Tensor) -> Tensor:
        logs = [losses.clamp(min=_SMALLEST_LOSS).log() for losses in (before, after)]
        return (self._shares(has_label) * (logs[0] - logs[1]) * has_label).sum()

    def _shares(self, has_label: Tensor) -> Tensor:
        return torch.softmax(self.logits.masked_fill(~has_label, -torch.inf), dim=0).nan_to_num(nan=0.0)
