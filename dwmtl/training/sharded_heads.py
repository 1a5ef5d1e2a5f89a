"""A head split over the processes of a training: its loss, and its weights in parts and whole.

Every process holds the rows of its share of the classes, their gradient and the optimiser's state of them, and computes
their logits for the batch of all. The head is whole before the first step, in a checkpoint and after the last step.
Source: An et al. 2021 (Partial FC), arXiv:2010.05222.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from dwmtl.errors import ParamsError
from dwmtl.network.network import FaceNetwork
from dwmtl.network.sampled_classes import SamplingHead, Shard, true_cells
from dwmtl.training.distribution import (
    cat_of_processes,
    gather_both_ways,
    gather_samples,
    max_over_processes,
    num_processes,
    own_samples,
    process_number,
    sum_both_ways,
)

Change = Callable[[Tensor, int], Tensor]
"""Of a tensor with an entry per class, and the dimension of the classes in it."""


def shard_heads(network: FaceNetwork) -> None:
    """Leave each process its share of the heads that are to be split; of one process nothing changes.

    Raises:
        ParamsError: there are more processes than classes.
    """
    if num_processes() == 1:
        return
    for task, head in network.heads.items():
        if isinstance(head, SamplingHead) and head.is_sharded:
            num_classes = network.num_outputs[task]
            if num_classes < num_processes():
                raise ParamsError(
                    f"tasks.{task}.head.sharded splits {num_classes} classes over {num_processes()} processes. Set it "
                    "to false."
                )
            for parameter, dim in head.class_parameters():
                parameter.data = own_classes(parameter.data, dim)
            first, end = _bounds(num_classes, process_number())
            head.shard = Shard(first, end - first)


def join_heads(network: FaceNetwork, device: torch.device) -> None:
    """Undo `shard_heads` in every process: the heads are whole, on the CPU. Every process calls it."""
    for _, head in _sharded(network):
        for parameter, dim in head.class_parameters():
            parameter.data = cat_of_processes(parameter.data, dim, device)
        head.shard = None


def own_classes(values: Tensor, dim: int) -> Tensor:
    """This process's part, a copy, of a tensor with an entry per class along `dim`."""
    first, end = _bounds(values.shape[dim], process_number())
    return values.narrow(dim, first, end - first).clone()


def shards_of(network: FaceNetwork) -> frozenset[Tensor]:
    """The parameters, or sampled rows of them, that each process has for its own classes."""
    return frozenset(tensor for _, head in _sharded(network) for tensor in head.in_use())


def sharded_losses(head: SamplingHead, vectors: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of this process's samples over the classes of all processes, with the head's margin.

    log sum exp over all classes is that of the shards' own, shifted by the largest; the true class's logit comes from
    the process that holds it. The gradient of a process's rows is of the samples of all processes.

    Args:
        vectors: (B, D). labels: (B,) class indices among all, below 0 where there is none.
    Returns:
        (B,), nats; 0 for a sample without a label.
    """
    assert head.shard is not None
    places = head.shard.places(gather_samples(labels))  # (N,), of all processes
    if head.sampled is not None:
        places = head.sampled.places(places)
    logits = head.training_logits(gather_both_ways(vectors), places)  # (N, K)
    own = logits.logsumexp(dim=1)  # (N,)
    largest = max_over_processes(own.detach())
    cells = true_cells(places)
    true = torch.zeros_like(own).index_put(cells[:1], logits[cells])
    exponentials, true = sum_both_ways(torch.stack([(own - largest).exp(), true]))
    losses = own_samples(largest + exponentials.log() - true)
    return torch.where(labels >= 0, losses, 0).to(vectors.dtype)


def change_classes(state: dict[str, Any], network: FaceNetwork, optimizer: Optimizer, change: Change) -> dict[str, Any]:
    """A `TrainingState`'s dictionary with every tensor of the sharded classes changed; other values are the same."""
    dims = {
        f"heads.{task}.{name}": dim
        for task, head in _sharded(network)
        for name, parameter in head.named_parameters()
        for other, dim in head.class_parameters()
        if parameter is other
    }
    if not dims:
        return state
    modules, optimizers = dict(state["modules"]), dict(state["optimizers"])
    modules["network"] = _changed(modules["network"], dims, change)
    if "averaged" in modules:
        of_average = {f"module.{name}": dim for name, dim in dims.items()}
        modules["averaged"] = _changed(modules["averaged"], of_average, change)
    optimizers["network"] = _changed_optimizer(optimizers["network"], network, optimizer, change)
    best = state["best"] and _changed(state["best"], dims, change)
    return {**state, "modules": modules, "optimizers": optimizers, "best": best}


def _changed(values: dict[str, Any], dims: dict[str, int], change: Change) -> dict[str, Any]:
    return {name: change(value, dims[name]) if name in dims else value for name, value in values.items()}


def _changed_optimizer(
    values: dict[str, Any], network: FaceNetwork, optimizer: Optimizer, change: Change
) -> dict[str, Any]:
    """Of an optimiser's dictionary, which numbers its parameters."""
    ordered = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    numbers = {parameter: number for number, parameter in enumerate(ordered)}
    states = dict(values["state"])
    for _, head in _sharded(network):
        for parameter, dim in head.class_parameters():
            state = states.get(numbers.get(parameter))
            if state is not None:
                per_weight = {key: dim for key, value in state.items() if torch.is_tensor(value) and value.dim() > 0}
                states[numbers[parameter]] = _changed(state, per_weight, change)
    return {**values, "state": states}


def _sharded(network: FaceNetwork) -> Iterator[tuple[str, SamplingHead]]:
    for task, head in network.heads.items():
        if isinstance(head, SamplingHead) and head.shard is not None:
            yield task, head


def _bounds(num_classes: int, number: int) -> tuple[int, int]:
    """First class of a process, and of the next."""
    return num_classes * number // num_processes(), num_classes * (number + 1) // num_processes()
