"""Some of a head's classes, with which a training step computes in place of all of them. Knows nothing of losses.

With a million classes the logits of a batch and the gradient of the head take more memory than the trunk. A step needs
the classes of its samples, and a share of the others stands for all; or each process holds a shard of the classes.
Source: An et al. 2021 (Partial FC), arXiv:2010.05222.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class SampledClasses:
    """K classes of a head for one step.

    Attributes:
        classes: (K,) class indices, ascending.
        rows: copies of the head's parameters, of these classes alone; they carry the gradient.
    """

    classes: Tensor
    rows: tuple[Tensor, ...]

    def places(self, labels: Tensor) -> Tensor:
        """Class indices among all -> among the K: (B,) -> (B,). Each must be one of the K; those below 0 stay."""
        return torch.where(labels < 0, labels, torch.searchsorted(self.classes, labels))


@dataclass(frozen=True)
class Shard:
    """The classes of a head that a process holds: `size` classes from class `first`."""

    first: int
    size: int

    def places(self, labels: Tensor) -> Tensor:
        """Class indices among all -> among these: (N,) -> (N,), -1 for a class of another process and for no label."""
        places = labels - self.first
        return torch.where((places >= 0) & (places < self.size), places, -1)


class SamplingHead(nn.Module):
    """A head that can compute with some of its classes: while `sampled` is set, logits are (B, K), and labels places.

    Attributes:
        sample_rate: share of the classes that a training step computes with; 1: all.
        is_sharded: whether the processes of a training each hold a share of the classes.
        shard: this process's share, which `class_parameters` then hold; None while they hold all.
    """

    sample_rate: float = 1.0
    is_sharded: bool = False
    sampled: SampledClasses | None = None
    shard: Shard | None = None

    @abstractmethod
    def class_parameters(self) -> list[tuple[nn.Parameter, int]]:
        """The parameters with an entry per class, and the dimension of the classes in each."""

    @abstractmethod
    def logits(self, vectors: Tensor) -> Tensor:
        """(B, D) -> (B, K) of the classes in use, without margin."""

    @abstractmethod
    def training_logits(self, vectors: Tensor, places: Tensor) -> Tensor:
        """Logits of the training's loss, with a margin on the true class where the head has one.

        Args:
            vectors: (B, D). places: (B,), the true classes among the K in use, below 0 where it is none of them.
        Returns:
            (B, K).
        """

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, D) -> logits (B, K), without margin; (B, 0) of a shard, since no process has them all."""
        return self.logits(vectors) if self.shard is None else vectors.new_zeros(len(vectors), 0)

    def in_use(self) -> list[Tensor]:
        """The class parameters, or their sampled rows."""
        return [parameter for parameter, _ in self.class_parameters()] if self.sampled is None else [*self.sampled.rows]


class LinearHead(SamplingHead, nn.Linear):
    """One linear layer that can compute with some of its classes."""

    bias: nn.Parameter
    weight: nn.Parameter

    def __init__(self, num_features: int, num_classes: int, *, sample_rate: float, is_sharded: bool = False):
        super().__init__(num_features, num_classes)
        self.sample_rate, self.is_sharded = sample_rate, is_sharded

    def class_parameters(self) -> list[tuple[nn.Parameter, int]]:
        return [(self.weight, 0), (self.bias, 0)]

    def logits(self, vectors: Tensor) -> Tensor:
        return nn.functional.linear(vectors, *self.in_use())

    def training_logits(self, vectors: Tensor, places: Tensor) -> Tensor:
        return self.logits(vectors.to(self.weight.dtype))


def true_cells(places: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column, of (B, K) logits, of each true class in use: (B,) places -> (N,), (N,)."""
    rows = (places >= 0).nonzero()[:, 0]
    return rows, places[rows]


def draw_classes(labels: Tensor, num_classes: int, rate: float, generator: torch.Generator) -> Tensor:
    """The classes of the labels, and others drawn at random, each alike: (K,) ascending.

    Args:
        labels: (B,) class indices; those below 0 are none.
        rate: of the classes, in (0, 1]. K is that share, rounded up, or the number of the labels' classes if that is
            larger.
    """
    present = labels[labels >= 0].unique().cpu()
    priorities = torch.rand(num_classes, generator=generator)  # in [0, 1)
    priorities[present] = 2.0
    number = max(math.ceil(rate * num_classes), len(present))
    return priorities.topk(number).indices.sort().values
