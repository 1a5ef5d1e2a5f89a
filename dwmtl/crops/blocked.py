"""Layers of a network in oneDNN's blocked memory layout, in which a CPU pools several times as fast.

Knows nothing of faces.
"""

import torch
from torch import Tensor, nn


def run_blocked(network: nn.Module, first: str, last: str) -> None:
    """Let the layers of a network from `first` to `last` pass blocked tensors; what surrounds them stays as it is.

    The layers must be convolutions, PReLU or pooling. Their results differ by rounding alone. Does nothing where torch
    was built without oneDNN.
    """
    if torch.backends.mkldnn.is_available():
        setattr(network, first, nn.Sequential(_ToBlocked(), getattr(network, first)))
        setattr(network, last, nn.Sequential(getattr(network, last), _FromBlocked()))


class _ToBlocked(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.to_mkldnn()


class _FromBlocked(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.to_dense()
