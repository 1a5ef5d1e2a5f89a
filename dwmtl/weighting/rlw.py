"""Random loss weighting: the baseline that a rule must beat to have learned anything."""

import torch
from torch import Tensor

from dwmtl.weighting.weighting import Weighting, WeightingInput


class RlwWeighting(Weighting):
    """weights = softmax of T standard normal draws, new ones at every step; they sum to 1.

    Source: Lin, Ye & Zhang 2022 (TMLR), arXiv:2111.10603.
    """

    def __init__(self, num_tasks: int):
        super().__init__()
        self.num_tasks = num_tasks

    def forward(self, given: WeightingInput) -> Tensor:
        draw = torch.randn(self.num_tasks, generator=given.generator).to(given.task_losses.device)
        return torch.softmax(draw, dim=0)
