"""The contract of every weighting: task losses and shared features in, task weights out.

A weighting runs no backward pass, logs nothing and reads only its own state; the training step does the rest. A rule
that needs random numbers draws them from the step's generator, which is seeded by the training's seed and the step's
number, so that a resumed training draws the same numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class WeightingInput:
    """Input of a rule: a step over B samples and T tasks.

    Attributes:
        shared_features: (B, C, h, w), the trunk's output; carries the gradient.
        task_losses: (T,), non-negative, nats; 0 for a task without a labelled sample in the batch.
        has_label: (T,) bool, whether the batch has a labelled sample of the task.
        generator: the step's, on the CPU, in the same state in every process; the only source of random numbers.
        gramian: (T, T), inner products of the tasks' gradients of the parameters that `Weighting.gradients_of` names;
            None for a rule without `gradients_of`.
    """

    shared_features: Tensor
    task_losses: Tensor
    has_label: Tensor
    generator: torch.Generator
    gramian: Tensor | None = None


class Weighting(nn.Module):
    """A rule for the weights of T tasks. A subclass implements `forward`, and overrides what it needs."""

    trains_with_network = False
    """Whether the rule's parameters minimise the total loss together with the network's."""

    gradients_of: Literal["last_layer", "trunk"] | None = None
    """The shared parameters of which the rule needs each task's gradients; they cost a backward pass per task."""

    weighs_gradients = False
    """Whether the weights apply to the tasks' gradients of the trunk only; a task's branch and head then train on the
    task's loss unweighted."""

    looks_back = False
    """Whether `look_back` is called, which costs a forward pass."""

    def forward(self, given: WeightingInput) -> Tensor:
        """Task weights from this process's samples, (T,), not yet masked.

        Their sum depends on the rule. They are non-negative, except those of `imtl_g` and `aligned_mtl`, which may be
        negative.
        """
        raise NotImplementedError

    def masked(self, task_weights: Tensor, has_label: Tensor) -> Tensor:
        """Weights for the whole batch, (T,); 0 for a task without a labelled sample."""
        return renormalize(task_weights, has_label)

    def weigh(
        self, given: WeightingInput, *, over_processes: Callable[[Tensor], Tensor] = lambda weights: weights
    ) -> Tensor:
        """The task weights of a step, (T,); 0 for a task without a label.

        Args:
            over_processes: the mean over the processes of a training. Masking comes after it, since a mean of ratios is
                not the ratio of the means.
        """
        return self.masked(over_processes(self(given)), given.has_label)

    def weighting_loss(self, task_weights: Tensor, given: WeightingInput) -> Tensor | None:
        """The scalar that the rule's own parameters minimise; None for a rule without its own loss."""
        return None

    def look_back(self, before: Tensor, after: Tensor, has_label: Tensor) -> Tensor:
        """The scalar that the parameters of a rule that `looks_back` minimise.

        Args:
            before, after: (T,), the task losses on the batch before the step and after it, constants.
        """
        raise NotImplementedError

    def combine(self, gradients: list[list[Tensor]], task_weights: Tensor, generator: torch.Generator) -> list[Tensor]:
        """The trunk's gradient, of a rule that `weighs_gradients`: a tensor per parameter.

        Args:
            gradients: by task, a tensor per parameter.
            task_weights: (T,), masked.
            generator: the step's.
        """
        by_parameter = zip(*gradients, strict=True)
        return [sum(w * g for w, g in zip(task_weights, of_tasks, strict=True)) for of_tasks in by_parameter]

    def penalty(self, given: WeightingInput) -> Tensor | None:
        """A scalar added to the total loss; None for most rules."""
        return None

    def end_epoch(self, mean_losses: Tensor) -> None:
        """Called after every epoch with its mean task losses, (T,); NaN for a task without a label."""


def renormalize(task_weights: Tensor, has_label: Tensor) -> Tensor:
    """Weights of the tasks that have a labelled sample in the batch, scaled to keep their sum; 0 for the others.

    Args:
        task_weights: (T,), non-negative.
        has_label: (T,), bool.
    """
    kept = task_weights * has_label
    sum_kept = kept.sum()
    sum_kept = (sum_kept + (sum_kept == 0)).clamp(min=torch.finfo(kept.dtype).tiny)  # all 0 where no task has a label
    return kept * (task_weights.sum() / sum_kept)
