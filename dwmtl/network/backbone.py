"""What a family of networks gives: the part all tasks share, and how a task's own part is made. Knows no task."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Backbone:
    """A network cut in two.

    Attributes:
        trunk: standardised crops (B, 3, H, W) -> shared features (B, C, h, w).
        make_branch: makes a new branch, shared features -> (B, D), with D as its `num_features`. Its argument is the
            length of a bottleneck, or None; families whose last layers give an embedding take None only.
    """

    trunk: nn.Module
    make_branch: Callable[[int | None], nn.Module]


def numbered(layers: Iterable[nn.Module], *, start: int) -> nn.Sequential:
    """A sequence whose layers are called `start`, `start + 1`, ..., as they are in the whole network."""
    return nn.Sequential(OrderedDict((str(number), layer) for number, layer in enumerate(layers, start)))
