"""Dynamic weight average: a task whose loss falls slowly gets more weight in the next epoch."""

import torch
from torch import Tensor

from dwmtl.weighting.weighting import Weighting, WeightingInput


class DwaWeighting(Weighting):
    """weights = T softmax(r / temperature), r_t = L_t(last epoch) / L_t(epoch before it); 1 in the first two epochs.

    They sum to T. A task without a label in either epoch has r = 1, as if its loss had not changed.

    Args:
        temperature: > 0; a higher one makes the weights more even.
    Source: Liu, Johns & Davison 2019 (CVPR), arXiv:1803.10704.
    """

    task_weights: Tensor
    last_losses: Tensor

    def __init__(self, num_tasks: int, *, temperature: float):
        super().__init__()
        self.temperature = temperature
        self.register_buffer("task_weights", torch.ones(num_tasks))
        self.register_buffer("last_losses", torch.full((num_tasks,), torch.nan))

    def forward(self, given: WeightingInput) -> Tensor:
        return self.task_weights

    @torch.no_grad()
    def end_epoch(self, mean_losses: Tensor) -> None:
        ratios = (mean_losses / self.last_losses).nan_to_num(nan=1.0, posinf=1.0)
        self.task_weights.copy_(len(ratios) * torch.softmax(ratios / self.temperature, dim=0))
        self.last_losses.copy_(mean_losses)
