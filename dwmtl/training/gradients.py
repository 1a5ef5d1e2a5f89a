"""Gradients of the losses of all processes, for an optimiser's parameters or others; with the losses scaled or not."""

from collections.abc import Set

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dwmtl.training.distribution import sum_gradients, sum_over_processes


def parameters_of(optimizer: Optimizer) -> list[nn.Parameter]:
    """All parameters that an optimiser updates."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def set_gradients(
    optimizer: Optimizer,
    loss: Tensor,
    *,
    untrained: Set[nn.Parameter] = frozenset(),
    shards: Set[Tensor] = frozenset(),
    retain_graph: bool = False,
    scale: float = 1.0,
) -> None:
    """Give the optimiser's parameters, and no others, their gradient of `loss`; None where there is none, and to the
    untrained ones, which an optimiser then leaves alone.

    Args:
        shards: parameters that this process alone has, see `sharded_heads`.
        scale: see `LossScale`.
    """
    for parameter in parameters_of(optimizer):
        parameter.grad = None  # the last step's, whose memory is needed
    parameters = [parameter for parameter in parameters_of(optimizer) if parameter not in untrained]
    gradients = _unscaled(loss, parameters, retain_graph=retain_graph, scale=scale)
    is_shard = [parameter in shards for parameter in parameters]
    for parameter, gradient in zip(parameters, sum_gradients(gradients, is_shard=is_shard), strict=True):
        parameter.grad = gradient


def gradients_of(
    loss: Tensor,
    parameters: list[nn.Parameter],
    *,
    shards: Set[Tensor] = frozenset(),
    retain_graph: bool,
    scale: float,
) -> list[Tensor]:
    """Gradients of `loss`, of all processes; zeros where there are none. `shards`, `scale`: as in `set_gradients`."""
    gradients = _unscaled(loss, parameters, retain_graph=retain_graph, scale=scale)
    filled = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, gradients, strict=True)]
    summed = sum_gradients(filled, is_shard=[parameter in shards for parameter in parameters])
    return [gradient for gradient in summed if gradient is not None]


def clip_gradients(parameters: list[nn.Parameter], max_norm: float, *, shards: Set[Tensor] = frozenset()) -> Tensor:
    """Clip the global norm of the gradients, of the shards of all processes; the norm before clipping."""
    own = [parameter.grad for parameter in parameters if parameter in shards and parameter.grad is not None]
    if not own:
        return nn.utils.clip_grad_norm_(parameters, max_norm)
    common = [parameter.grad for parameter in parameters if parameter not in shards and parameter.grad is not None]
    squares = [nn.utils.get_total_norm(gradients).square() for gradients in (common, own)]
    norm = (squares[0] + sum_over_processes(squares[1])).sqrt()
    nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)
    return norm


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
