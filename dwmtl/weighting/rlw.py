"""Random loss weighting: the baseline that a rule must beat to have learned anything."""

import torch
from torch import Tensor

from dwmtl.weighting.weighting import Weighting, WeightingInput


class RlwWeighting(Weighting):
    """weights = softmax of T standard normal draws, anew every step; they sum to 1.

    Args:
        seed: of the draws, which depend on it and on the step's number alone.
    Source: Lin, Ye & Zhang 2022 (TMLR), arXiv:2111.10603.
    """

    def __init__(self, num_tasks: int, *, seed: int):
        super().__init__()
        self.num_tasks = num_tasks
        self._generator = torch.Generator().manual_seed(seed)

    def get_extra_state(self) -> Tensor:
        """The generator's, so that a resumed training draws on."""
        return self._generator.get_state()

    def set_extra_state(self, state: Tensor) -> None:
        """Draw on from there."""
        self._generator.set_state(state)

    def forward(self, given: WeightingInput) -> Tensor:
        draw = torch.randn(self.num_tasks, generator=self._generator).to(given.task_losses.device)
        return torch.softmax(draw, dim=0)
