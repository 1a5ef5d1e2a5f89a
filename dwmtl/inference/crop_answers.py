"""A network with everything between a decoded crop and an answer inside: what is run here, and what ONNX gets."""

import torch
from torch import Tensor, nn

from dwmtl.network.network import IDENTITY, FaceNetwork


class CropAnswers(nn.Module):
    """Crops as a picture library decodes them in, embeddings and probabilities out; in inference mode.

    Args:
        network: a trained one. Its identities are not among the answers: they are the training's people.
    """

    def __init__(self, network: FaceNetwork):
        super().__init__()
        self.network = network.eval()
        self.tasks = tuple(task for task in network.tasks if task != IDENTITY)

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        """(B, H, W, 3) uint8 RGB -> embeddings (B, D) of unit length, then each task's probabilities (B, its classes),
        in the order of `tasks`."""
        output = self.network(self.network.standardize(crops.permute(0, 3, 1, 2)))
        return output.embedding, *(torch.softmax(output.logits[task], dim=1) for task in self.tasks)
