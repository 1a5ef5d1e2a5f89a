"""The task losses. Labels are class indices; NO_LABEL marks a sample that a task has no label for."""

import torch
from torch import Tensor, nn
from torch.nn import functional

NO_LABEL = -1


class CenterLoss(nn.Module):
    """Pulls embeddings towards the centre of their identity. The centres move by a rule, not by a gradient.

    Args:
        num_identities: rows of `centers`, (num_identities, embedding length), starting at 0.
        embedding_length: length of an embedding.
        alpha: share of a centre that is kept when it moves; 1 keeps it where it is.
    Source: Wen et al. 2016 (ECCV) in the form of the authors' code.
    """

    def __init__(self, num_identities: int, embedding_length: int, *, alpha: float):
        super().__init__()
        self.register_buffer("centers", torch.zeros(num_identities, embedding_length))
        self.alpha = alpha

    def forward(self, embeddings: Tensor, identities: Tensor) -> Tensor:
        """Half the squared distance of each embedding (B, D) to its centre: (B,)."""
        return 0.5 * (embeddings - self.centers[identities]).square().sum(dim=1)

    @torch.no_grad()
    def move_centers(self, embeddings: Tensor, identities: Tensor) -> None:
        """c_y -= (1 - alpha) * (c_y - e) / n_y for every sample, n_y its identity's count in the batch."""
        counts = torch.bincount(identities, minlength=len(self.centers))[identities]  # (B,)
        steps = (1 - self.alpha) * (embeddings - self.centers[identities]) / counts[:, None]
        self.centers.index_add_(0, identities, steps.to(self.centers.dtype))


def mean_over_labelled(sample_losses: Tensor, labels: Tensor) -> Tensor:
    """Mean of (B,) losses over the samples whose label is not NO_LABEL; 0 where there is none."""
    has_label = labels != NO_LABEL
    return torch.where(has_label, sample_losses, 0).sum() / has_label.sum().clamp(min=1)


def cross_entropy(logits: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy a sample, nats: logits (B, C), labels (B,) in 0..C-1 or NO_LABEL (loss 0) -> (B,)."""
    return functional.cross_entropy(
        logits, labels, ignore_index=NO_LABEL, reduction="none", label_smoothing=label_smoothing
    )
