"""Dynamic task weights: a linear unit on the shared features, trained by its own loss."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from dwmtl.weighting.difficulty import Difficulty
from dwmtl.weighting.weighting import Weighting, WeightingInput, renormalize


class DynamicWeighting(Weighting):
    """The paper's dynamic-weight unit: the harder task gets the larger weight, with no hyper-parameter to tune.

    z = flattened shared features, L2-normalised; a = W z + b; weights = mean over the batch of softmax(a), which sum
    to 1, plus the floors.

    Args:
        num_features: length of the flattened shared features.
        num_tasks: T.
        normalize_logits: L2-normalise a before the softmax, as in the published figure; two weights then stay within
            [sigmoid(-sqrt 2), sigmoid(sqrt 2)] = [0.1955, 0.8045]. The published code does not normalise them.
        detach_weights: stop the gradient of the total loss from reaching the trunk through the weights. Off in the
            authors' code: the trunk then also receives the sum over tasks of L_t * dw_t/dz, which by itself favours the
            easy task.
        sigma: > 0, see `weighting_loss`.
        temperature: > 0, divides the logits; the bounds of two weights become sigmoid(-+ sqrt 2 / temperature).
        difficulty: what stands in place of a task's loss in `weighting_loss`; None: the loss itself, as in the paper.
        floors: T non-negative constants added to the weights, as the authors do with three tasks; None: none.
    Source: Ming et al. 2019, arXiv:1911.03281; details from the authors' code.
    """

    floors: Tensor

    def __init__(
        self,
        num_features: int,
        num_tasks: int,
        *,
        normalize_logits: bool,
        detach_weights: bool,
        sigma: float,
        temperature: float = 1.0,
        difficulty: Difficulty | None = None,
        floors: list[float] | None = None,
    ):
        super().__init__()
        self.unit = nn.Linear(num_features, num_tasks)
        nn.init.trunc_normal_(self.unit.weight, std=0.1, a=-0.2, b=0.2)
        nn.init.zeros_(self.unit.bias)
        self.normalize_logits = normalize_logits
        self.detach_weights = detach_weights
        self.sigma = sigma
        self.temperature = temperature
        self.difficulty = difficulty
        self.register_buffer("floors", torch.tensor(floors or [0.0] * num_tasks), persistent=False)

    def forward(self, given: WeightingInput) -> Tensor:
        return self.sample_weights(given.shared_features).mean(dim=0)

    def masked(self, task_weights: Tensor, has_label: Tensor) -> Tensor:
        return renormalize(task_weights, has_label) + self.floors * has_label

    def sample_weights(self, shared_features: Tensor) -> Tensor:
        """Task weights per sample, (B, T), before the floors; rows sum to 1."""
        if self.detach_weights:
            shared_features = shared_features.detach()
        normalized = functional.normalize(shared_features.flatten(1), dim=1)  # (B, num_features)
        logits = self.unit(normalized)  # (B, T)
        if self.normalize_logits:
            logits = functional.normalize(logits, dim=1)
        return torch.softmax(logits / self.temperature, dim=1)

    def weighting_loss(self, task_weights: Tensor, given: WeightingInput) -> Tensor | None:
        """Loss whose minimum puts weight on the task with the larger loss: the sum over tasks of w_t / (L_t + sigma).

        Args:
            task_weights: (T,); carries the gradient. A task without a label has weight 0 and adds nothing to the sum.
            given: its task losses, (T,), nats, are constants here.
        Returns:
            Scalar, lower is better.
        Source: Ming et al. 2019, arXiv:1911.03281; sigma 0.01 from the authors' code.
        """
        losses = given.task_losses.detach()
        if self.difficulty is not None:
            losses = self.difficulty(losses, given.has_label)
        return (task_weights / (losses + self.sigma)).sum()
