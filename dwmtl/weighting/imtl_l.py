"""IMTL-L: a scale per task, trained with the network, that brings the losses to the same size."""

import torch
from torch import Tensor, nn

from dwmtl.weighting.weighting import Weighting, WeightingInput


class ImtlLWeighting(Weighting):
    """Total loss: the sum over tasks of e^s_t L_t - s_t; s_t is a parameter, 0 at the start. The weights are e^s_t.

    A task without a label adds nothing to the loss, and its s_t has no gradient.

    Source: Liu et al. 2021 (ICLR), Towards Impartial Multi-task Learning.
    """

    trains_with_network = True

    def __init__(self, num_tasks: int):
        super().__init__()
        self.log_scales = nn.Parameter(torch.zeros(num_tasks))

    def forward(self, given: WeightingInput) -> Tensor:
        return self.log_scales.exp()

    def masked(self, task_weights: Tensor, has_label: Tensor) -> Tensor:
        return task_weights * has_label

    def penalty(self, given: WeightingInput) -> Tensor:
        return -(self.log_scales * given.has_label).sum()
