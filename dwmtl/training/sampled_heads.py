"""A step that trains some of a head's classes: rows out of the head and the optimiser, and back after the step."""

from collections.abc import Iterator, Mapping, Set
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dwmtl.network.network import FaceNetwork
from dwmtl.network.sampled_classes import SampledClasses, SamplingHead, draw_classes
from dwmtl.training.distribution import gather_samples

_FIRST_VALUES = {"square_avg": 1.0}
"""Of an optimiser's state before its first step; 0 where not named. RMSpropTF starts at TensorFlow's 1."""


@contextmanager
def sampled_classes(
    network: FaceNetwork,
    optimizer: Optimizer,
    labels: Mapping[str, Tensor],
    generator: torch.Generator,
    *,
    untrained: Set[nn.Parameter] = frozenset(),
) -> Iterator[None]:
    """Within the block, heads with a `sample_rate` below 1 compute with classes drawn for the batch of all processes.

    The optimiser updates the rows of these classes, and its state of them, alone: a class that is not drawn keeps its
    weights, without decay or momentum. The number of steps of its state counts all steps, as in Partial FC.

    Args:
        labels: a task's name -> (B,), of this process.
        generator: the same in every process.
        untrained: parameters that the optimiser leaves alone.
    """
    with ExitStack() as stack:
        for task, head in network.heads.items():
            if isinstance(head, SamplingHead) and head.sample_rate < 1:
                num_classes = network.num_outputs[task]
                classes = draw_classes(gather_samples(labels[task]), num_classes, head.sample_rate, generator)
                classes = classes.to(labels[task].device)
                if head.shard is not None:  # those of this process
                    places = head.shard.places(classes)
                    classes = places[places >= 0]
                rows = [
                    stack.enter_context(
                        _rows(parameter, dim, classes, optimizer, is_trained=parameter not in untrained)
                    )
                    for parameter, dim in head.class_parameters()
                ]
                stack.enter_context(_sampled(head, SampledClasses(classes, tuple(rows))))
        yield


@contextmanager
def _sampled(head: SamplingHead, sampled: SampledClasses) -> Iterator[None]:
    head.sampled = sampled
    try:
        yield
    finally:
        head.sampled = None


@contextmanager
def _rows(
    parameter: nn.Parameter, dim: int, classes: Tensor, optimizer: Optimizer, *, is_trained: bool
) -> Iterator[Tensor]:
    """A copy of the rows of classes, which stands for the parameter in the optimiser; written back after the block."""
    rows = parameter.detach().index_select(dim, classes)
    if not is_trained:
        yield rows
        return
    rows.requires_grad_()
    state = optimizer.state.pop(parameter, {})
    of_rows = {
        key: value.index_select(dim, classes) if _is_per_weight(value, parameter) else value
        for key, value in state.items()
    }
    _replace(optimizer, parameter, rows, of_rows)
    try:
        yield rows
    finally:
        after = optimizer.state.pop(rows, {})
        _replace(optimizer, rows, parameter, _written_back(state, after, parameter, rows, dim, classes))
        parameter.data.index_copy_(dim, classes, rows.detach())


def _replace(optimizer: Optimizer, old: Tensor, new: Tensor, state: dict[str, Any]) -> None:
    for group in optimizer.param_groups:
        group["params"] = [new if parameter is old else parameter for parameter in group["params"]]
    if state:
        optimizer.state[new] = state


def _written_back(
    state: dict[str, Any], after: dict[str, Any], parameter: nn.Parameter, rows: Tensor, dim: int, classes: Tensor
) -> dict[str, Any]:
    """The parameter's state with that of its rows after a step."""
    for key, value in after.items():
        if _is_per_weight(value, rows):
            if key not in state:
                state[key] = torch.full_like(parameter, _FIRST_VALUES.get(key, 0.0), requires_grad=False)
            state[key].index_copy_(dim, classes, value)
        else:
            state[key] = value
    return state


def _is_per_weight(value: object, parameter: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == parameter.shape
