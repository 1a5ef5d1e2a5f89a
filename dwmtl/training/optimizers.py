"""Optimisers and learning-rate schedules by the names that `params.yaml` uses."""

import math
from collections.abc import Iterable

from timm.optim import RMSpropTF
from torch import nn
from torch.optim import SGD, AdamW, Optimizer


def make_optimizer(
    name: str, parameters: Iterable[nn.Parameter], *, learning_rate: float, weight_decay: float = 0.0
) -> Optimizer:
    """An optimiser over the parameters that require a gradient.

    Args:
        name: `adamw`; `sgd` (momentum 0.9); or `rmsprop_tf`, the authors': decay 0.9, momentum 0.9, epsilon 1.0 inside
            the root, mean square starting at 1, as TensorFlow has it.
        learning_rate: > 0.
        weight_decay: >= 0; decoupled with adamw, otherwise added to the gradient.
    """
    parameters = [parameter for parameter in parameters if parameter.requires_grad]
    if name == "adamw":
        return AdamW(parameters, lr=learning_rate, weight_decay=weight_decay)
    if name == "sgd":
        return SGD(parameters, lr=learning_rate, momentum=0.9, weight_decay=weight_decay)
    if name == "rmsprop_tf":
        return RMSpropTF(parameters, lr=learning_rate, alpha=0.9, eps=1.0, momentum=0.9, weight_decay=weight_decay)
    raise ValueError(f"name must be adamw, sgd or rmsprop_tf. Got {name!r} instead.")


def scheduled(learning_rate: float, *, schedule: str, step: int, num_steps: int) -> float:
    """The learning rate of a step, counted from 0 of `num_steps`: `constant`, or `cosine` from the full rate to 0."""
    if schedule == "constant":
        return learning_rate
    return learning_rate * 0.5 * (1 + math.cos(math.pi * step / num_steps))


def set_learning_rate(optimizer: Optimizer, learning_rate: float) -> None:
    """For every group of parameters."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
