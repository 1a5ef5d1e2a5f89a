"""The weighting that `params.yaml` names."""

from dwmtl.params import DynamicWeightingParams, FixedWeightingParams, NaiveDynamicWeightingParams
from dwmtl.weighting.dynamic import DynamicWeighting
from dwmtl.weighting.fixed import FixedWeighting
from dwmtl.weighting.naive_dynamic import NaiveDynamicWeighting
from dwmtl.weighting.weighting import Weighting

WeightingParams = DynamicWeightingParams | NaiveDynamicWeightingParams | FixedWeightingParams


def make_weighting(params: WeightingParams, *, num_features: int, tasks: tuple[str, ...]) -> Weighting:
    """A weighting with initial values from torch's generator.

    Args:
        num_features: length of the flattened shared features of a sample.
        tasks: the tasks' names in their order.
    """
    if params.name == "dynamic":
        return DynamicWeighting(
            num_features,
            len(tasks),
            normalize_logits=params.normalize_logits,
            detach_weights=params.detach_weights,
            sigma=params.sigma,
        )
    if params.name == "naive_dynamic":
        return NaiveDynamicWeighting(num_features, len(tasks), normalize_logits=params.normalize_logits)
    weights = params.weights or dict.fromkeys(tasks, 1.0)
    return FixedWeighting([weights[task] for task in tasks])
