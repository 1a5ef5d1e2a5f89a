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
from dwmtl.network.network import EXPRESSION, FaceNetwork, NetworkOutput
from dwmtl.training.distribution import any_process, gather_samples, mean_over_processes
from dwmtl.training.gradients import clip_gradients, gradients_of, gramian, parameters_of, set_gradients
from dwmtl.training.keep import FrozenStart, keep_losses
from dwmtl.training.loss_scale import GradientOverflowError, LossScale
from dwmtl.training.losses import EXPRESSION_SHARES, ColumnLoss, TaskLoss
from dwmtl.training.sampled_heads import sampled_classes
from dwmtl.training.sharded_heads import shards_of
from dwmtl.weighting.weighting import Weighting, WeightingInput


@dataclass(frozen=True)
class TaskLosses:
    """The losses of T tasks on a batch, of all processes.

    Attributes:
        values: (T,), in the order of the network's tasks, nats but for a regression's; 0 for a task without a labelled
            sample.
        has_label: (T,), whether the batch has a labelled sample of the task.
        center: the tasks' mean centre losses, summed, before their factors (the identity task's alone by default).
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
        keep_loss: scalar, before its factor; None where no start is kept to.
        weighting_loss, weighting_grad_norm: scalars, or None for a rule without a loss of its own.
    """

    task_losses: Tensor
    task_weights: Tensor
    center_loss: Tensor
    total_loss: Tensor
    grad_norm: Tensor
    weighting_loss: Tensor | None
    weighting_grad_norm: Tensor | None
    keep_loss: Tensor | None = None


@dataclass
class MultiTaskStep:
    """A training step over a batch, called with crops and labels.

    The total loss, the sum over tasks of w_t L_t, trains the network; the weighting's own loss trains the weighting's
    parameters and nothing else. Where `keep` is > 0, the network also minimises keep times the keep loss, which is no
    task: no weighting sees it. The class centres move after the losses are read. In a process group every process
    steps with its share of the batch, and all end with the same weights as one process with the whole (where batch
    norm is synchronised, see `training.batch_norm`, and nothing is dropped out).

    Attributes:
        task_losses_of: a `TaskLoss` or `ColumnLoss` per task, by name.
        optimizer: over the network's parameters (and the weighting's, if that trains with the network).
        weighting_optimizer: over the weighting's parameters, where it has a loss of its own.
        clip_grad_norm: greatest global norm of either gradient.
        autocast: makes the context of the network's forward pass, for mixed precision.
        check: called with the task losses before anything is updated; may raise.
        keep: factor of the keep loss, >= 0.
        start: the network's embedding as it was before the training; needed where `keep` is > 0.
        loss_scale: of the losses whose gradients pass through the network; None but for float16.
        untrained: parameters that are left as they are; may change from step to step.
    Source: Ming et al. 2019, arXiv:1911.03281; details from the authors' code.
    """

    network: FaceNetwork
    weighting: Weighting
    task_losses_of: nn.ModuleDict
    optimizer: Optimizer
    weighting_optimizer: Optimizer | None
    clip_grad_norm: float
    autocast: Callable[[], AbstractContextManager] = nullcontext
    check: Callable[[Tensor], None] = lambda task_losses: None
    keep: float = 0.0
    start: FrozenStart | None = None
    loss_scale: LossScale | None = None
    untrained: frozenset[nn.Parameter] = frozenset()

    def __post_init__(self):
        self._forward: Callable[[Tensor], NetworkOutput] = self.network
        self._start: Callable[[Tensor], Tensor] | None = self.start

    def compile(self, backend: str = "inductor") -> None:
        """Let torch compile the network's forward and backward pass; `backend`: torch's name of what compiles it."""
        from torch._functorch import config

        config.donated_buffer = False  # a step takes several gradients of one forward pass
        self._forward = torch.compile(self.network, backend=backend)
        if self.start is not None:
            self._start = torch.compile(self.start, backend=backend)

    def __call__(self, crops: Tensor, labels: dict[str, Tensor], generator: torch.Generator) -> StepResult:
        """One step.

        Args:
            crops: (B, 3, H, W), standardised.
            labels: a task's name -> (B,) class indices or NO_LABEL, or (B, K) where its kind is another; and
                `losses.EXPRESSION_SHARES` -> (B, C), where people voted.
            generator: for heads that sample classes, and for a weighting that draws, see `WeightingInput`.
        """
        if self.loss_scale is None:
            return self._sampled_step(crops, labels, generator)
        return self.loss_scale.run(
            lambda: self._sampled_step(crops, labels, generator),
            generator=generator,
            buffers=[*self.network.buffers(), *self.weighting.buffers()],
        )

    def _sampled_step(self, crops: Tensor, labels: dict[str, Tensor], generator: torch.Generator) -> StepResult:
        with sampled_classes(self.network, self.optimizer, labels, generator, untrained=self.untrained):
            return self._step(crops, labels, generator)

    def _step(self, crops: Tensor, labels: dict[str, Tensor], generator: torch.Generator) -> StepResult:
        with self.autocast():
            output = self._forward(crops)
        losses = self.task_losses(output, labels)
        self.check(losses.values.detach())
        gradients = self._task_gradients(losses)
        inner_products = None if gradients is None else gramian(gradients)
        if inner_products is not None and not inner_products.isfinite().all():
            raise _non_finite_gradient()  # before a weighting computes with it, or remembers it
        given = WeightingInput(output.shared_features, losses.values, losses.has_label, generator, inner_products)
        weights = self.weighting.weigh(given, over_processes=mean_over_processes)
        total = (weights * losses.values).sum()
        weighting_loss = self.weighting.weighting_loss(weights, given)
        keep_loss = self._keep_loss(crops, output)

        if self.weighting.weighs_gradients:
            assert gradients is not None  # `gradients_of` is the trunk
            self._weigh_gradients(gradients, weights, losses, keep_loss, generator)
        else:
            penalty = self.weighting.penalty(given)
            objective = total if penalty is None else total + mean_over_processes(penalty)
            objective = objective if keep_loss is None else objective + self.keep * keep_loss
            set_gradients(
                self.optimizer,
                objective,
                untrained=self.untrained,
                shards=shards_of(self.network),
                retain_graph=weighting_loss is not None,
                scale=self._scale,
            )
        weighting_grad_norm = None
        if weighting_loss is not None:
            assert self.weighting_optimizer is not None  # a weighting with a loss has one
            set_gradients(self.weighting_optimizer, weighting_loss)
            weighting_grad_norm = self._clip(self.weighting_optimizer)
        grad_norm = self._clip(self.optimizer)
        if weighting_loss is not None and self.weighting_optimizer is not None:
            self.weighting_optimizer.step()
        self.optimizer.step()
        if self.weighting.looks_back:
            self._look_back(losses, crops, labels)
        self._move_centers(output, labels)
        return StepResult(
            task_losses=losses.values.detach(),
            task_weights=weights.detach(),
            center_loss=losses.center.detach(),
            total_loss=total.detach(),
            grad_norm=grad_norm,
            weighting_loss=None if weighting_loss is None else weighting_loss.detach(),
            weighting_grad_norm=weighting_grad_norm,
            keep_loss=None if keep_loss is None else keep_loss.detach(),
        )

    def task_losses(self, output: NetworkOutput, labels: dict[str, Tensor]) -> TaskLosses:
        """Each task's loss, by its kind."""
        values, has_label, centers = [], [], []
        for task, loss_of in self.task_losses_of.items():
            assert isinstance(loss_of, TaskLoss | ColumnLoss)  # as `task_losses_of` makes them
            shares = labels.get(EXPRESSION_SHARES) if task == EXPRESSION else None
            value, is_labelled, center = loss_of.of_batch(
                self.network.heads[task], output.vectors[task], output.logits[task], labels[task], shares
            )
            values.append(value)
            has_label.append(is_labelled)
            centers.append(center)
        return TaskLosses(torch.stack(values), torch.stack(has_label), torch.stack(centers).sum())

    def _keep_loss(self, crops: Tensor, output: NetworkOutput) -> Tensor | None:
        """Mean over all samples, with or without labels, of the distance to the start's embedding."""
        if self._start is None:
            return None
        with torch.no_grad(), self.autocast():
            start = self._start(crops)
        return mean_over_processes(keep_losses(output.embedding, start).mean())

    def _task_gradients(self, losses: TaskLosses) -> list[list[Tensor]] | None:
        """A task's gradients of the shared parameters that the weighting must see; zeros where there are none."""
        if self.weighting.gradients_of is None:
            return None
        parameters = self._shared_parameters()
        return [self._gradients(loss, parameters, retain_graph=True) for loss in losses.values]

    def _shared_parameters(self) -> list[nn.Parameter]:
        if self.weighting.gradients_of == "last_layer":
            return self.network.last_shared_layer()
        return [parameter for parameter in self.network.trunk.parameters() if parameter.requires_grad]

    def _weigh_gradients(
        self,
        gradients: list[list[Tensor]],
        weights: Tensor,
        losses: TaskLosses,
        keep_loss: Tensor | None,
        generator: torch.Generator,
    ) -> None:
        """Trunk: the tasks' gradients, combined by the weighting. A task's own part: its own gradient. The keep loss
        adds its gradient to both."""
        shared, objective = self._shared_parameters(), losses.values.sum()
        for parameter, gradient in zip(shared, self.weighting.combine(gradients, weights, generator), strict=True):
            parameter.grad = gradient
        if keep_loss is not None:
            objective = objective + self.keep * keep_loss
            keep_gradients = self._gradients(self.keep * keep_loss, shared, retain_graph=True)
            for parameter, gradient in zip(shared, keep_gradients, strict=True):
                assert parameter.grad is not None  # set by the loop above
                parameter.grad = parameter.grad + gradient
        shared_ids = {id(parameter) for parameter in shared}
        task_parameters = [p for p in parameters_of(self.optimizer) if id(p) not in shared_ids]
        own_gradients = self._gradients(objective, task_parameters)
        for parameter, gradient in zip(task_parameters, own_gradients, strict=True):
            parameter.grad = gradient
        for parameter in self.untrained:
            parameter.grad = None

    @torch.no_grad()
    def _losses_again(self, crops: Tensor, labels: dict[str, Tensor]) -> Tensor:
        """(T,), the task losses on the same batch, now; the network's statistics (batch norm's, a head's) stay as they
        are."""
        buffers = list(self.network.buffers())
        before = [buffer.clone() for buffer in buffers]
        with self.autocast():
            output = self._forward(crops)
        losses = self.task_losses(output, labels)
        torch._foreach_copy_(buffers, before)
        return losses.values

    def _look_back(self, losses: TaskLosses, crops: Tensor, labels: dict[str, Tensor]) -> None:
        """Train the weighting by what the network's step did to the losses; where it made one no finite number, the
        weighting stays, and the next step says so."""
        assert self.weighting_optimizer is not None  # a weighting that looks back has one
        after = self._losses_again(crops, labels)
        loss = mean_over_processes(self.weighting.look_back(losses.values.detach(), after, losses.has_label))
        set_gradients(self.weighting_optimizer, loss)
        norm = clip_gradients(parameters_of(self.weighting_optimizer), self.clip_grad_norm)
        if torch.isfinite(norm):
            self.weighting_optimizer.step()

    def _clip(self, optimizer: Optimizer) -> Tensor:
        """Clip the gradients; the norm before clipping."""
        norm = clip_gradients(parameters_of(optimizer), self.clip_grad_norm, shards=shards_of(self.network))
        if not torch.isfinite(norm):
            if optimizer is self.optimizer:  # the weighting's gradients do not pass through float16
                self._refuse_overflow()
            raise _non_finite_gradient()
        return norm

    @property
    def _scale(self) -> float:
        return 1.0 if self.loss_scale is None else self.loss_scale.value

    def _refuse_overflow(self) -> None:
        if self.loss_scale is not None and self.loss_scale.can_fall:
            raise GradientOverflowError

    def _gradients(self, loss: Tensor, parameters: list[nn.Parameter], *, retain_graph: bool = False) -> list[Tensor]:
        """Gradients of `loss`, of all processes, finite unless the loss's own are not; zeros where there are none."""
        gradients = gradients_of(
            loss, parameters, shards=shards_of(self.network), retain_graph=retain_graph, scale=self._scale
        )
        if self.loss_scale is not None:
            overflows = not all(bool(gradient.isfinite().all()) for gradient in gradients)
            if any_process(overflows, loss.device):  # a shard's may overflow in one process alone
                self._refuse_overflow()  # before a weighting computes with them
        return gradients

    def _move_centers(self, output: NetworkOutput, labels: dict[str, Tensor]) -> None:
        for task, loss_of in self.task_losses_of.items():
            if isinstance(loss_of, TaskLoss) and loss_of.center is not None:
                loss_of.move_centers(gather_samples(output.vectors[task]), gather_samples(labels[task]))


def _non_finite_gradient() -> NonFiniteLossError:
    return NonFiniteLossError(
        "the gradient of finite losses is no finite number; the step was not applied. Lower optimizer.learning_rate, "
        "or set precision to 32-true."
    )
