"""A network with the steps from a decoded crop to the answers: run here, and exported to ONNX."""

from torch import Tensor, nn

from dwmtl.network.network import IDENTITY, FaceNetwork


class CropAnswers(nn.Module):
    """Decoded crops in, embeddings and the tasks' answers out, in inference mode.

    Args:
        network: a trained network. Its identities, the people of the training, are not among the answers.
    """

    def __init__(self, network: FaceNetwork):
        super().__init__()
        self.network = network.eval()
        self.tasks = tuple(task for task in network.tasks if task != IDENTITY)

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        """(B, H, W, 3) uint8 RGB -> embeddings (B, D), unit length, then the answers (B, C) of each of `tasks`:
        probabilities, or the values of a regression."""
        output = self.network(self.network.standardize(crops.permute(0, 3, 1, 2)))
        return output.embedding, *(self.network.kinds[task].answers(output.logits[task]) for task in self.tasks)
