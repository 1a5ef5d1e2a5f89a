"""One training step of the method: task losses, task weights, both updates from the same forward pass.

Knows nothing of files, epochs or logging.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dwmtl.errors import NonFiniteLossError
from dwmtl.network.network import IDENTITY, FaceNetwork, NetworkOutput
from dwmtl.training.losses import NO_LABEL, CenterLoss, cross_entropy, mean_over_labelled
from dwmtl.weighting.weighting import Weighting, renormalize


@dataclass(frozen=True)
class TaskLosses:
    """The losses of T tasks on a batch.

    Attributes:
        values: (T,), nats, in the order of the network's tasks; 0 for a task without a labelled sample.
        has_label: (T,), whether the batch has a labelled sample of the task.
        center: mean centre loss of the labelled samples, before its factor.
    """

    values: Tensor
    has_label: Tensor
    center: Tensor


@dataclass(frozen=True)
class StepResult:
    """What a step did, detached.

    Attributes:
        task_losses, task_weights: (T,).
        center_loss, total_loss, grad_norm: scalars; the norm is global, before clipping.
        weighting_loss, weighting_grad_norm: scalars, or None for a rule without a loss of its own.
    """

    task_losses: Tensor
    task_weights: Tensor
    center_loss: Tensor
    total_loss: Tensor
    grad_norm: Tensor
    weighting_loss: Tensor | None
    weighting_grad_norm: Tensor | None


@dataclass
class MultiTaskStep:
    """A training step over a batch, called with crops and labels.

    The total loss, the sum over tasks of w_t L_t, trains the network; the weighting's own loss trains the weighting's
    parameters and nothing else. The class centres move after the losses are read.

    Attributes:
        optimizer: over the network's parameters (and the weighting's, if that trains with the network).
        weighting_optimizer: over the weighting's parameters, where it has a loss of its own.
        center_factor: weight of the centre loss in the identity loss.
        clip_grad_norm: greatest global norm of either gradient.
        autocast: makes the context of the network's forward pass, for mixed precision.
        check: called with the task losses before anything is updated; may raise.
    Source: Ming et al. 2019, arXiv:1911.03281; details from the authors' code.
    """

    network: FaceNetwork
    weighting: Weighting
    center_loss: CenterLoss
    optimizer: Optimizer
    weighting_optimizer: Optimizer | None
    center_factor: float
    clip_grad_norm: float
    label_smoothing: float = 0.0
    autocast: Callable[[], AbstractContextManager] = nullcontext
    check: Callable[[Tensor], None] = lambda task_losses: None

    def __call__(self, crops: Tensor, labels: dict[str, Tensor]) -> StepResult:
        """crops: (B, 3, S, S), standardised; labels: a task's name -> (B,) class indices or NO_LABEL."""
        with self.autocast():
            output = self.network(crops)
        losses = self.task_losses(output, labels)
        self.check(losses.values.detach())
        weights = renormalize(self.weighting(output.shared_features, losses.values), losses.has_label)
        total = (weights * losses.values).sum()
        weighting_loss = self.weighting.weighting_loss(weights, losses.values)

        set_gradients(self.optimizer, total, retain_graph=weighting_loss is not None)
        weighting_grad_norm = None
        if weighting_loss is not None:
            set_gradients(self.weighting_optimizer, weighting_loss)
            weighting_grad_norm = self._update(self.weighting_optimizer)
        grad_norm = self._update(self.optimizer)
        self._move_centers(output, labels[IDENTITY])
        return StepResult(
            task_losses=losses.values.detach(),
            task_weights=weights.detach(),
            center_loss=losses.center.detach(),
            total_loss=total.detach(),
            grad_norm=grad_norm,
            weighting_loss=None if weighting_loss is None else weighting_loss.detach(),
            weighting_grad_norm=weighting_grad_norm,
        )

    def task_losses(self, output: NetworkOutput, labels: dict[str, Tensor]) -> TaskLosses:
        """Identity: mean(cross-entropy + factor * centre loss); any other task: mean cross-entropy."""
        identities = labels[IDENTITY]
        center = mean_over_labelled(self.center_loss(output.embedding, identities.clamp(min=0)), identities)
        values = []
        for task in self.network.tasks:
            samples = cross_entropy(output.logits[task], labels[task], label_smoothing=self.label_smoothing)
            value = mean_over_labelled(samples, labels[task])
            values.append(value + self.center_factor * center if task == IDENTITY else value)
        has_label = torch.stack([(labels[task] != NO_LABEL).any() for task in self.network.tasks])
        return TaskLosses(torch.stack(values), has_label, center)

    def _update(self, optimizer: Optimizer) -> Tensor:
        """Clip and apply the gradients; the norm before clipping."""
        norm = nn.utils.clip_grad_norm_(parameters_of(optimizer), self.clip_grad_norm)
        if not torch.isfinite(norm):
            raise NonFiniteLossError(
                "the gradient of finite losses is no finite number; the step was not applied. Lower "
                "optimizer.learning_rate, or set precision to 32-true."
            )
        optimizer.step()
        return norm

    def _move_centers(self, output: NetworkOutput, identities: Tensor) -> None:
        has_label = identities != NO_LABEL
        self.center_loss.move_centers(output.embedding.detach()[has_label], identities[has_label])


def parameters_of(optimizer: Optimizer) -> list[nn.Parameter]:
    """All parameters that an optimiser updates."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def set_gradients(optimizer: Optimizer, loss: Tensor, *, retain_graph: bool = False) -> None:
    """Give the optimiser's parameters, and no others, their gradient of `loss`; None where there is none."""
    parameters = parameters_of(optimizer)
    gradients = torch.autograd.grad(loss, parameters, retain_graph=retain_graph, allow_unused=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
