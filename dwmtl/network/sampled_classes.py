"""Some of a head's classes, with which a training step computes in place of all of them. Knows nothing of losses.

With a million classes the logits of a batch and the gradient of the head take more memory than the trunk. A step needs
the classes of its samples, and a share of the others stands for all.
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


class SamplingHead(nn.Module):
    """A head that can compute with some of its classes: while `sampled` is set, logits are (B, K), and labels places.

    Attributes:
        sample_rate: share of the classes that a training step computes with; 1: all.
    """

    sample_rate: float = 1.0
    sampled: SampledClasses | None = None

    @abstractmethod
    def class_parameters(self) -> list[tuple[nn.Parameter, int]]:
        """The parameters with an entry per class, and the dimension of the classes in each."""

    def in_use(self) -> list[Tensor]:
        """The class parameters, or their sampled rows."""
        return [parameter for parameter, _ in self.class_parameters()] if self.sampled is None else [*self.sampled.rows]


class LinearHead(SamplingHead, nn.Linear):
    """One linear layer that can compute with some of its classes."""

    bias: nn.Parameter
    weight: nn.Parameter

    def __init__(self, num_features: int, num_classes: int, *, sample_rate: float):
        super().__init__(num_features, num_classes)
        self.sample_rate = sample_rate

    def class_parameters(self) -> list[tuple[nn.Parameter, int]]:
        return [(self.weight, 0), (self.bias, 0)]

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, D) -> logits (B, C)."""
        return nn.functional.linear(vectors, *self.in_use())


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
