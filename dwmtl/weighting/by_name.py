"""The weighting that `params.yaml` names."""

from dwmtl.weighting.dwa import DwaWeighting
from dwmtl.weighting.dynamic import DynamicWeighting
from dwmtl.weighting.fixed import FixedWeighting
from dwmtl.weighting.gradient_rule import GradientRuleWeighting
from dwmtl.weighting.gradnorm import GradNormWeighting
from dwmtl.weighting.naive_dynamic import NaiveDynamicWeighting
from dwmtl.weighting.params import WeightingParams
from dwmtl.weighting.rlw import RlwWeighting
from dwmtl.weighting.uncertainty import UncertaintyWeighting
from dwmtl.weighting.weighting import Weighting


def make_weighting(params: WeightingParams, *, num_features: int, tasks: tuple[str, ...]) -> Weighting:
    """Make a weighting, its initial values drawn from torch's generator.

    Args:
        num_features: length of the flattened shared features of a sample.
        tasks: the tasks' names in their order.
    """
    num_tasks = len(tasks)
    match params.name:
        case "dynamic":
            return DynamicWeighting(
                num_features,
                num_tasks,
                normalize_logits=params.normalize_logits,
                detach_weights=params.detach_weights,
                sigma=params.sigma,
                floors=[params.floors[task] for task in tasks] if params.floors else None,
            )
        case "naive_dynamic":
            return NaiveDynamicWeighting(num_features, num_tasks, normalize_logits=params.normalize_logits)
        case "fixed":
            return FixedWeighting([params.weights[task] for task in tasks])
        case "equal":
            return FixedWeighting([1.0] * num_tasks)
        case "single_task":
            return FixedWeighting([float(task == params.task) for task in tasks])
        case "uncertainty":
            return UncertaintyWeighting(num_tasks, initial_log_variance=params.initial_log_variance)
        case "dwa":
            return DwaWeighting(num_tasks, temperature=params.temperature)
        case "rlw":
            return RlwWeighting(num_tasks)
        case "gradnorm":
            return GradNormWeighting(num_tasks, alpha=params.alpha)
        case _:
            return GradientRuleWeighting(params.name)
