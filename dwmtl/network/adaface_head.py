"""AdaFace's head: a margin that adapts to how good a crop is, judged by the length of its vector."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from dwmtl.network.params import AdaFaceHeadParams
from dwmtl.network.sampled_classes import SamplingHead, true_cells

_EPSILON = 1e-3
_MIN_LENGTH, _MAX_LENGTH = 1e-3, 100.0
_FIRST_MEAN, _FIRST_STD = 20.0, 100.0


class AdaFaceHead(SamplingHead):
    """Scaled cosines between a vector and the classes' weights; the training loss has a margin on the true class.

    With z the length of the vector, clipped to [0.001, 100], and mean and std those of z over the batches so far:

        q = clip(h (z - mean) / (std + 0.001), -1, 1)                a crop's quality, without gradient
        logit of the true class = s (cos(angle - m q) - m (1 + q))   angles in [0.001, pi - 0.001]
        other logits = s cos(angle)

    q = -1 is ArcFace's margin m, q = 0 CosFace's, and q = 1 a negative angular margin with twice CosFace's: easy
    samples count more where the crop is poor, hard ones where it is good. mean and std start at 20 and 100 and keep
    `length_momentum` of their old value at each step.

    Args:
        num_features: length D of a vector.
        params: the margin m, h (`concentration`), the scale s of the cosines, and the momentum.
    Source: Kim et al. 2022 (CVPR), arXiv:2204.00964; bounds and first values from the authors' code.
    """

    length_mean: Tensor
    length_std: Tensor

    def __init__(self, num_features: int, num_classes: int, params: AdaFaceHeadParams):
        super().__init__()
        self.params = params
        self.sample_rate, self.is_sharded = params.sample_rate, params.sharded
        self.weight = nn.Parameter(functional.normalize(torch.randn(num_classes, num_features), dim=1))
        self.register_buffer("length_mean", torch.tensor(_FIRST_MEAN))
        self.register_buffer("length_std", torch.tensor(_FIRST_STD))

    def class_parameters(self) -> list[tuple[nn.Parameter, int]]:
        return [(self.weight, 0)]

    def logits(self, vectors: Tensor) -> Tensor:
        """Scale * cosine."""
        return self.params.scale * self._cosines(vectors)

    @torch.no_grad()
    def track_lengths(self, lengths: Tensor) -> None:
        """Move mean and std towards those of the lengths (N,) of a batch's labelled vectors; fewer than two have no
        deviation and move nothing."""
        if len(lengths) < 2:
            return
        clipped = lengths.to(self.length_mean.dtype).clamp(_MIN_LENGTH, _MAX_LENGTH)
        share = 1 - self.params.length_momentum
        self.length_mean.lerp_(clipped.mean(), share)
        self.length_std.lerp_(clipped.std(), share)

    def sample_losses(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy per sample, with the margin: (B, D), (B,) class indices -> (B,), nats."""
        return functional.cross_entropy(self.training_logits(vectors, labels), labels, reduction="none")

    def training_logits(self, vectors: Tensor, places: Tensor) -> Tensor:
        margin, vectors = self.params.margin, vectors.to(self.weight.dtype)  # the network's may be bf16
        rows, columns = cells = true_cells(places)
        quality = self._quality(vectors[rows].detach().norm(dim=1))  # (N,)
        cosines = self._cosines(vectors).clamp(_EPSILON - 1, 1 - _EPSILON)
        angles = (cosines[rows, columns].acos() - margin * quality).clamp(_EPSILON, torch.pi - _EPSILON)
        true = angles.cos() - margin * (1 + quality)
        return self.params.scale * cosines.index_put(cells, true)

    def _quality(self, lengths: Tensor) -> Tensor:
        standardised = (lengths.clamp(_MIN_LENGTH, _MAX_LENGTH) - self.length_mean) / (self.length_std + _EPSILON)
        return (self.params.concentration * standardised).clamp(-1, 1)

    def _cosines(self, vectors: Tensor) -> Tensor:
        (weight,) = self.in_use()
        return functional.linear(functional.normalize(vectors, dim=1), functional.normalize(weight, dim=1))
