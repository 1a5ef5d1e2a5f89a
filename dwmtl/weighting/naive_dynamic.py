"""Naive dynamic weights: the authors' baseline, the dynamic-weight unit without its own loss."""

from torch import Tensor

from dwmtl.weighting.dynamic import DynamicWeighting
from dwmtl.weighting.weighting import WeightingInput


class NaiveDynamicWeighting(DynamicWeighting):
    """The dynamic-weight unit, trained on the total loss together with the network; it drifts to the easy task.

    Source: Ming et al. 2019, arXiv:1911.03281.
    """

    trains_with_network = True

    def __init__(self, num_features: int, num_tasks: int, *, normalize_logits: bool):
        super().__init__(num_features, num_tasks, normalize_logits=normalize_logits, detach_weights=False, sigma=1.0)

    def weighting_loss(self, task_weights: Tensor, given: WeightingInput) -> None:
        return None
