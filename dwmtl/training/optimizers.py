"""Optimisers and learning-rate schedules by the names that `params.yaml` uses."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from dwmtl.training.params import parse_schedule


def make_optimizer(
    name: str,
    parameters: Iterable[nn.Parameter],
    *,
    learning_rate: float,
    weight_decay: float = 0.0,
    undecayed: Iterable[nn.Parameter] = (),
    factors: Mapping[nn.Parameter, float] | None = None,
) -> Optimizer:
    """An optimiser over the parameters that require a gradient.

    Args:
        name: `adamw`; `sgd` (momentum 0.9); or `rmsprop_tf`, the authors': decay 0.9, momentum 0.9, epsilon 1.0 inside
            the root, mean square starting at 1, as TensorFlow has it.
        learning_rate: > 0.
        weight_decay: >= 0; decoupled with adamw, otherwise added to the gradient.
        undecayed: further parameters, without weight decay: those of a weighting, whose values are not weights of a
            network.
        factors: of the learning rate, by parameter; 1 where a parameter has none.
    """
    by_factor: dict[float, list[nn.Parameter]] = defaultdict(list)
    for parameter in parameters:
        if parameter.requires_grad:
            by_factor[(factors or {}).get(parameter, 1.0)].append(parameter)
    groups = [
        {"params": alike, "weight_decay": weight_decay, "lr": factor * learning_rate, "factor": factor}
        for factor, alike in by_factor.items()
    ]
    if undecayed := [p for p in undecayed if p.requires_grad]:
        groups.append({"params": undecayed, "weight_decay": 0.0, "factor": 1.0})
    if name == "adamw":
        return AdamW(groups, lr=learning_rate, fused=True)
    if name == "sgd":
        return SGD(groups, lr=learning_rate, momentum=0.9)
    if name == "rmsprop_tf":
        from timm.optim import RMSpropTF  # slow to import, and the others do not need it

        return RMSpropTF(groups, lr=learning_rate, alpha=0.9, eps=1.0, momentum=0.9)
    raise ValueError(f"name must be adamw, sgd or rmsprop_tf. Got {name!r} instead.")


def scheduled(
    learning_rate: float, *, schedule: str, step: int, num_steps: int, epoch: int, warmup_fraction: float = 0.0
) -> float:
    """The learning rate of a step, counted from 0 of `num_steps`, in an epoch, counted from 0.

    Args:
        schedule: `constant`; `cosine`, from the full rate to 0; or rates by epoch, see `params.parse_schedule`, which
            stand in place of `learning_rate`: the last one whose epoch has come holds.
        warmup_fraction: of the steps, the first ones, whose rate is a share of the schedule's that grows in a line:
            1/n, 2/n, ... 1 over n steps. Source: Goyal et al. 2017, arXiv:1706.02677.
    """
    if schedule == "cosine":
        learning_rate = learning_rate * 0.5 * (1 + math.cos(math.pi * step / num_steps))
    elif schedule != "constant":
        learning_rate = [rate for start, rate in parse_schedule(schedule).items() if start <= epoch][-1]
    num_warmup = round(warmup_fraction * num_steps)
    return learning_rate * (step + 1) / num_warmup if step < num_warmup else learning_rate


def set_learning_rate(optimizer: Optimizer, learning_rate: float) -> None:
    """For every group of parameters, times the group's factor."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["factor"]
