"""The weighting that `params.yaml` names."""

from collections.abc import Mapping

import torch

from dwmtl.weighting.difficulty import Difficulty
from dwmtl.weighting.dwa import DwaWeighting
from dwmtl.weighting.dynamic import DynamicWeighting
from dwmtl.weighting.famo import FamoWeighting
from dwmtl.weighting.fixed import FixedWeighting
from dwmtl.weighting.geometric_mean import GeometricMeanWeighting
from dwmtl.weighting.gradient_rule import GradientRuleWeighting
from dwmtl.weighting.gradnorm import GradNormWeighting
from dwmtl.weighting.gradvac import GradVacWeighting
from dwmtl.weighting.imtl_l import ImtlLWeighting
from dwmtl.weighting.jacobian_rule import JacobianRuleWeighting
from dwmtl.weighting.naive_dynamic import NaiveDynamicWeighting
from dwmtl.weighting.params import DynamicWeightingParams, WeightingParams
from dwmtl.weighting.rlw import RlwWeighting
from dwmtl.weighting.stch import StchWeighting
from dwmtl.weighting.uncertainty import UncertaintyWeighting
from dwmtl.weighting.weighting import Weighting


def make_weighting(params: WeightingParams, *, num_features: int, chance_losses: Mapping[str, float]) -> Weighting:
    """Make a weighting, its initial values drawn from torch's generator.

    Args:
        num_features: length of the flattened shared features of a sample.
        chance_losses: a task's name -> its loss when it is guessed, in the order of the tasks.
    """
    tasks, num_tasks = tuple(chance_losses), len(chance_losses)
    match params.name:
        case "dynamic":
            return DynamicWeighting(
                num_features,
                num_tasks,
                normalize_logits=params.normalize_logits,
                detach_weights=params.detach_weights,
                sigma=params.sigma,
                temperature=params.temperature,
                difficulty=_difficulty(params, chance_losses),
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
        case "imtl_l":
            return ImtlLWeighting(num_tasks)
        case "geometric_mean":
            return GeometricMeanWeighting()
        case "stch":
            return StchWeighting(mu=params.mu)
        case "famo":
            return FamoWeighting(num_tasks)
        case "dwa":
            return DwaWeighting(num_tasks, temperature=params.temperature)
        case "rlw":
            return RlwWeighting(num_tasks)
        case "gradnorm":
            return GradNormWeighting(num_tasks, alpha=params.alpha)
        case "gradvac":
            return GradVacWeighting(num_tasks, beta=params.beta)
        case "config" | "graddrop":
            return JacobianRuleWeighting(params.name)
        case _:
            return GradientRuleWeighting(params.name)


def _difficulty(params: DynamicWeightingParams, chance_losses: Mapping[str, float]) -> Difficulty | None:
    """None where the losses are taken as they are."""
    if params.relative_to == "nothing" and not params.smoothing:
        return None
    chance = torch.tensor([*chance_losses.values()])
    return Difficulty(chance, relative_to=params.relative_to, smoothing=params.smoothing)
