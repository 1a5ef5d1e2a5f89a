"""Keeping what the start knew: feature distillation from the network as it was before its first step."""

import copy

from torch import Tensor, nn
from torch.nn import functional

from dwmtl.network.network import IDENTITY, FaceNetwork


class FrozenStart(nn.Module):
    """The embedding of a network as it is now, whatever becomes of it: a copy, in inference mode, without gradients.

    No part of a checkpoint: a resumed training makes the same copy of the same start.
    """

    def __init__(self, network: FaceNetwork):
        super().__init__()
        self.trunk = copy.deepcopy(network.trunk)
        self.branch = copy.deepcopy(network.branches[IDENTITY])
        self.requires_grad_(False).eval()

    def forward(self, crops: Tensor) -> Tensor:
        """Standardised crops (B, 3, H, W) -> embeddings (B, D), unit length."""
        return functional.normalize(self.branch(self.trunk(crops)).float(), dim=1)


def keep_losses(embeddings: Tensor, start: Tensor) -> Tensor:
    """How far embeddings have moved from the start's, 1 - cos of each: (B, D), (B, D) of unit length -> (B,), 0 to 2.

    As half the squared distance, which is the same for unit vectors and exact where they are close.
    Source: Li and Hoiem 2016 (Learning without Forgetting, arXiv:1606.09282), with the embedding in place of logits.
    """
    return 0.5 * (embeddings - start).square().sum(dim=1)
