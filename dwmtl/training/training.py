"""What a training is: all that decides its result. What it runs on is `compute.Execution`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dwmtl.errors import NonFiniteLossError
from dwmtl.network.classes import Classes
from dwmtl.network.network import FaceNetwork
from dwmtl.training.checkpoint import training_key
from dwmtl.training.compute import precision_of
from dwmtl.training.crops import CropDataset
from dwmtl.training.keep import FrozenStart
from dwmtl.training.loss_scale import LossScale
from dwmtl.training.losses import NO_LABEL, task_losses_of
from dwmtl.training.optimizers import make_optimizer
from dwmtl.training.params import FitParams, smallest_parts, value_of_part
from dwmtl.training.step import MultiTaskStep
from dwmtl.training.task_params import AnyLossParams
from dwmtl.training.validation import Validation
from dwmtl.weighting.params import UnitParams
from dwmtl.weighting.weighting import Weighting


@dataclass(frozen=True)
class Training:
    """A network, what it learns from, and how.

    Attributes:
        network: trained in place.
        dataset: with labels of each of the network's tasks.
        losses: by task.
        frozen: parts whose batch norm keeps its statistics, see `FaceNetwork.set_training`.
        keep: factor of the keep loss, which holds the embedding to that of `network` as it is given; 0: none.
        learning_rate_factors: by part of the network, see `params.part_names`.
        freeze: parts that do not train at first -> the epochs until they do, None for ever.
        balanced_task: whose classes are drawn alike often; None: every sample is drawn once an epoch.
        weighting_optimizer: None for a weighting without a loss of its own.
        validation: people by whom the best epoch is chosen; None: none is chosen.
        facts: what else decides the result (the network's settings, for example), as JSON holds it.
    """

    network: FaceNetwork
    weighting: Weighting
    dataset: CropDataset
    params: FitParams
    losses: Mapping[str, AnyLossParams]
    frozen: frozenset[str] = frozenset()
    weighting_optimizer: UnitParams | None = None
    validation: Validation | None = None
    keep: float = 0.0
    learning_rate_factors: Mapping[str, float] = field(default_factory=dict)
    freeze: Mapping[str, int | None] = field(default_factory=dict)
    balanced_task: str | None = None
    facts: object = None

    def key(self, *, precision: str) -> str:
        """Digest by which a checkpoint is recognised as this training's. Take it before the first step.

        Args:
            precision: the one that the training runs in, see `precision_of`; `params.precision` may be `auto`.
        """
        facts = {
            "facts": self.facts,
            "params": self.params.model_dump() | {"precision": precision},
            "losses": {task: values.model_dump() for task, values in self.losses.items()},
            "frozen": sorted(self.frozen),
            "keep": self.keep,  # the start itself is the network before the first step
            "learning_rate_factors": dict(self.learning_rate_factors),
            "freeze": dict(self.freeze),
            "balanced_task": self.balanced_task,
            "weighting": type(self.weighting).__name__,  # its settings are in `params`
            "weighting_optimizer": self.weighting_optimizer and self.weighting_optimizer.model_dump(),
        }
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"weighting.{name}": value for name, value in self.weighting.state_dict().items()}
        tensors |= {f"labels.{task}": values for task, values in self.dataset.labels.items()}
        files = list(self.dataset.paths)
        if self.validation is not None:
            tensors |= {f"validation_labels.{task}": v for task, v in self.validation.dataset.labels.items()}
            files += self.validation.dataset.paths
        return training_key(facts, tensors, files)

    def make_step(self, fabric: Fabric) -> MultiTaskStep:
        """The training step with its optimisers and class centres, on Fabric's device.

        Make it before the first step: the start that is kept to is the network as it is now.
        """
        weighting, optimizer = self.weighting.to(fabric.device), self.params.optimizer
        return MultiTaskStep(
            network=self.network,
            weighting=weighting,
            task_losses_of=task_losses_of(self.network, self.losses, self._class_counts()).to(fabric.device),
            optimizer=make_optimizer(
                optimizer.name,
                self.network.parameters(),
                learning_rate=optimizer.learning_rate,
                weight_decay=optimizer.weight_decay,
                undecayed=weighting.parameters() if weighting.trains_with_network else (),
                factors={
                    parameter: value_of_part(name, self.learning_rate_factors, 1.0)
                    for name, parameter in self.network.named_parameters()
                },
            ),
            weighting_optimizer=None
            if self.weighting_optimizer is None
            else make_optimizer(
                self.weighting_optimizer.optimizer,
                weighting.parameters(),
                learning_rate=self.weighting_optimizer.learning_rate,
            ),
            clip_grad_norm=self.params.clip_grad_norm,
            autocast=fabric.autocast,
            check=_finite_check(self.network.tasks),
            keep=self.keep,
            start=FrozenStart(self.network) if self.keep else None,
            loss_scale=LossScale() if precision_of(fabric) == "16-mixed" else None,
        )

    def untrained_parts(self, epoch: int) -> list[nn.Module]:
        """The parts of the network that do not train in an epoch, counted from 0."""
        until = {part: value_of_part(part, self.freeze, 0) for part in smallest_parts(self.network.tasks)}
        parts = [part for part, epochs in until.items() if epochs is None or epoch < epochs]
        return [self.network.get_submodule(part) for part in parts]

    def _class_counts(self) -> dict[str, Tensor]:
        """Training samples of each class, of the tasks of classes."""
        counts = {}
        for task, kind in self.network.kinds.items():
            if isinstance(kind, Classes):
                labels = self.dataset.labels[task]
                counts[task] = torch.bincount(labels[labels != NO_LABEL], minlength=self.network.num_outputs[task])
        return counts


def _finite_check(tasks: tuple[str, ...]) -> Callable[[Tensor], None]:
    """A check of the task losses that names a loss that is NaN or infinite."""

    def check(task_losses: Tensor) -> None:
        if not bool(torch.isfinite(task_losses).all()):
            losses = ", ".join(f"{task} {loss}" for task, loss in zip(tasks, task_losses.tolist(), strict=True))
            raise NonFiniteLossError(f"a loss is no finite number ({losses}).")

    return check
