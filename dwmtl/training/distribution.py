"""Sums over the processes of a training, each with its share of the batch. Without a process group, nothing happens.

Every process computes the same total loss of the whole batch from its own samples, so a sum passes the gradient on as
it is, and the gradients of the parameters are summed over the processes: exactly the gradient of one process with the
whole batch. (DistributedDataParallel averages the gradients of one loss; the method has two, and products of means.)
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch import distributed as dist


def num_processes() -> int:
    """1 without a process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def process_number() -> int:
    """This process's, from 0."""
    return dist.get_rank() if num_processes() > 1 else 0


def any_process(is_so: bool, device: torch.device) -> bool:
    """Whether it is so in any process."""
    if num_processes() == 1:
        return is_so
    value = torch.tensor(float(is_so), device=device)
    dist.all_reduce(value, op=dist.ReduceOp.MAX)
    return bool(value)


def is_alike(number: int, device: torch.device) -> bool:
    """Whether every process has the same number."""
    if num_processes() == 1:
        return True
    ends = torch.tensor([number, -number], device=device)
    dist.all_reduce(ends, op=dist.ReduceOp.MAX)
    return int(ends[0]) == -int(ends[1])


def wait_for_all() -> None:
    """Return when every process has called this."""
    if num_processes() > 1:
        dist.barrier()


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(context, values: Tensor) -> Tensor:
        values = values.clone()
        dist.all_reduce(values)
        return values

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        return gradient


class _SumBothWays(_Sum):
    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        gradient = gradient.clone()
        dist.all_reduce(gradient)
        return gradient


def sum_both_ways(values: Tensor) -> Tensor:
    """The sum of values inside the network; its gradient is summed over the processes too."""
    return values if num_processes() == 1 else _SumBothWays.apply(values)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(context, values: Tensor) -> Tensor:
        return gather_samples(values)

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(gradient)
        return own_samples(gradient)


def gather_both_ways(values: Tensor) -> Tensor:
    """(B, ...) of every process, in their order; a sample's gradient is summed over the processes, in its own."""
    return values if num_processes() == 1 else _Gather.apply(values)


def own_samples(values: Tensor) -> Tensor:
    """This process's part of values of all samples, in the order of the processes."""
    return values.chunk(num_processes())[process_number()]


def max_over_processes(values: Tensor) -> Tensor:
    """The largest, by element, without gradient."""
    values = values.detach().clone()
    if num_processes() > 1:
        dist.all_reduce(values, op=dist.ReduceOp.MAX)
    return values


def cat_of_processes(values: Tensor, dim: int, device: torch.device) -> Tensor:
    """The processes' tensors, which may differ in size along `dim`, one behind the other: on the CPU, in every process.

    Args:
        device: of the process group's tensors.
    """
    parts = []
    for number in range(num_processes()):
        size = torch.tensor(values.shape[dim], device=device)
        dist.broadcast(size, number)
        shape = [int(size) if axis == dim else length for axis, length in enumerate(values.shape)]
        is_own = number == process_number()
        part = values.detach().to(device).contiguous() if is_own else values.new_empty(shape, device=device)
        dist.broadcast(part, number)
        parts.append(part.cpu())
    return torch.cat(parts, dim)


def of_first_process(values: dict[str, float], device: torch.device) -> dict[str, float]:
    """The first process's numbers; the keys must be the same in all."""
    if num_processes() == 1:
        return values
    numbers = torch.tensor(list(values.values()), dtype=torch.float64, device=device)
    dist.broadcast(numbers, 0)
    return dict(zip(values, numbers.tolist(), strict=True))


def sum_over_processes(values: Tensor) -> Tensor:
    """The sum; its gradient reaches each process's own values unchanged."""
    return values if num_processes() == 1 else _Sum.apply(values)


def mean_over_processes(values: Tensor) -> Tensor:
    """The mean, likewise."""
    return values if num_processes() == 1 else _Sum.apply(values) / num_processes()


def gather_samples(values: Tensor) -> Tensor:
    """(B, ...) of every process, in their order, without gradient; B must be the same in all."""
    if num_processes() == 1:
        return values.detach()
    parts = [torch.empty_like(values) for _ in range(num_processes())]
    dist.all_gather(parts, values.detach().contiguous())
    return torch.cat(parts)


def sum_gradients(gradients: Sequence[Tensor | None], *, is_shard: Sequence[bool] = ()) -> list[Tensor | None]:
    """Gradients, each in its own type, summed over the processes; the same ones must be None in all.

    Args:
        is_shard: whether a gradient is of weights that this process alone has, and stays as it is; empty: none is.
    """
    if num_processes() == 1:
        return list(gradients)
    if any(is_shard):
        pairs = list(zip(gradients, is_shard, strict=True))
        common = iter(sum_gradients([gradient for gradient, is_own in pairs if not is_own]))
        return [gradient if is_own else next(common) for gradient, is_own in pairs]
    given = [gradient for gradient in gradients if gradient is not None]
    flat = torch.cat([gradient.flatten() for gradient in given])
    dist.all_reduce(flat)
    summed = iter(flat.split([gradient.numel() for gradient in given]))
    return [None if gradient is None else next(summed).view_as(gradient).to(gradient.dtype) for gradient in gradients]
