"""A family of networks: the trunk that all tasks share, and a function that makes a task's branch. Knows no task."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import nn


class TaskBranch(nn.Sequential):
    """A branch: shared features (B, C, h, w) -> a vector per face, (B, `num_features`)."""

    num_features: int


@dataclass(frozen=True)
class Backbone:
    """A network split into a trunk and branches.

    Attributes:
        trunk: standardised crops (B, 3, H, W) -> shared features (B, C, h, w).
        make_branch: makes a new branch. Its argument is the length of a bottleneck, or None; families whose last layers
            compute an embedding accept None only.
    """

    trunk: nn.Module
    make_branch: Callable[[int | None], TaskBranch]


def numbered(layers: Iterable[nn.Module], *, start: int) -> nn.Sequential:
    """A sequence whose layers are named `start`, `start + 1`, ..., as in the whole network."""
    return nn.Sequential(OrderedDict((str(number), layer) for number, layer in enumerate(layers, start)))
