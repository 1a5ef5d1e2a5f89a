"""The contract of every weighting: shared features and task losses in, task weights out.

A weighting runs no backward pass, logs nothing and reads nobody's state; the training step does all of that.
"""

from torch import Tensor, nn


class Weighting(nn.Module):
    """A rule for the weights of T tasks. A subclass writes `forward`, and `weighting_loss` if it learns by itself."""

    trains_with_network = False
    """Whether the rule's parameters minimise the total loss together with the network's."""

    def forward(self, shared_features: Tensor, task_losses: Tensor) -> Tensor:
        """The task weights of a step.

        Args:
            shared_features: (B, C, h, w), the trunk's output; carries the gradient.
            task_losses: (T,), non-negative, nats.
        Returns:
            (T,), non-negative, sums to 1.
        """
        raise NotImplementedError

    def weighting_loss(self, task_weights: Tensor, task_losses: Tensor) -> Tensor | None:
        """The scalar that the rule's own parameters minimise, lower is better; None if it has no loss of its own."""
        return None


def renormalize(task_weights: Tensor, has_label: Tensor) -> Tensor:
    """Weights of the tasks that have a labelled sample in the batch, scaled to sum to 1; 0 for the others.

    Args:
        task_weights: (T,), non-negative.
        has_label: (T,), bool.
    """
    kept = task_weights * has_label
    return kept / kept.sum().clamp(min=1e-12)
