"""Gradients of the losses of all processes, for an optimiser's parameters or others; with the losses scaled or not."""

from collections.abc import Set

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dwmtl.training.distribution import sum_gradients


def parameters_of(optimizer: Optimizer) -> list[nn.Parameter]:
    """All parameters that an optimiser updates."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def set_gradients(
    optimizer: Optimizer,
    loss: Tensor,
    *,
    untrained: Set[nn.Parameter] = frozenset(),
    retain_graph: bool = False,
    scale: float = 1.0,
) -> None:
    """Give the optimiser's parameters, and no others, their gradient of `loss`; None where there is none, and to the
    untrained ones, which an optimiser then leaves alone. `scale`: see `LossScale`."""
    for parameter in parameters_of(optimizer):
        parameter.grad = None  # the last step's, whose memory is needed
    parameters = [parameter for parameter in parameters_of(optimizer) if parameter not in untrained]
    gradients = _unscaled(loss, parameters, retain_graph=retain_graph, scale=scale)
    for parameter, gradient in zip(parameters, sum_gradients(gradients), strict=True):
        parameter.grad = gradient


def gradients_of(loss: Tensor, parameters: list[nn.Parameter], *, retain_graph: bool, scale: float) -> list[Tensor]:
    """Gradients of `loss`, of all processes; zeros where there are none. `scale`: see `LossScale`."""
    gradients = _unscaled(loss, parameters, retain_graph=retain_graph, scale=scale)
    filled = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, gradients, strict=True)]
    return [gradient for gradient in sum_gradients(filled) if gradient is not None]


def _unscaled(loss: Tensor, parameters: list[nn.Parameter], *, retain_graph: bool, scale: float) -> list[Tensor | None]:
    """This process's gradients of `loss`, computed from scale * loss."""
    scaled = loss if scale == 1 else scale * loss
    gradients = torch.autograd.grad(scaled, parameters, retain_graph=retain_graph, allow_unused=True)
    if scale == 1:
        return list(gradients)
    return [None if gradient is None else gradient / scale for gradient in gradients]


def gramian(gradients: list[list[Tensor]]) -> Tensor:
    """Inner products of T tasks' gradients: (T, T)."""
    flat = torch.stack([torch.cat([gradient.flatten() for gradient in task]) for task in gradients])  # (T, P)
    return flat @ flat.T
