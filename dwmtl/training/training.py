"""What a training is: all that decides its result. What it runs on is `compute.Execution`."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor

from dwmtl.errors import NonFiniteLossError
from dwmtl.network.network import FaceNetwork
from dwmtl.training.checkpoint import training_key
from dwmtl.training.crops import CropDataset
from dwmtl.training.losses import task_losses_of
from dwmtl.training.optimizers import make_optimizer
from dwmtl.training.params import FitParams, LossParams
from dwmtl.training.step import MultiTaskStep
from dwmtl.training.validation import Validation
from dwmtl.weighting.params import UnitParams
from dwmtl.weighting.weighting import Weighting


@dataclass(frozen=True)
class Training:
    """A network, what it learns from, and how.

    Attributes:
        network: trained in place.
        dataset: its labels in the order of the network's tasks.
        losses: by task.
        frozen: parts whose batch norm keeps its statistics, see `FaceNetwork.set_training`.
        weighting_optimizer: None for a weighting without a loss of its own.
        validation: people by whom the best epoch is chosen; None: none is chosen.
        facts: what else decides the result (the network's settings, for example), as JSON holds it.
    """

    network: FaceNetwork
    weighting: Weighting
    dataset: CropDataset
    params: FitParams
    losses: dict[str, LossParams]
    frozen: frozenset[str] = frozenset()
    weighting_optimizer: UnitParams | None = None
    validation: Validation | None = None
    facts: object = None

    def key(self) -> str:
        """Digest by which a checkpoint is recognised as this training's. Take it before the first step."""
        facts = {
            "facts": self.facts,
            "params": self.params.model_dump(),
            "losses": {task: values.model_dump() for task, values in self.losses.items()},
            "frozen": sorted(self.frozen),
            "weighting": type(self.weighting).__name__,  # its settings are in `params`
            "weighting_optimizer": self.weighting_optimizer and self.weighting_optimizer.model_dump(),
        }
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"weighting.{name}": value for name, value in self.weighting.state_dict().items()}
        tensors["labels"] = self.dataset.labels
        files = list(self.dataset.paths)
        if self.validation is not None:
            tensors["validation_labels"] = self.validation.dataset.labels
            files += self.validation.dataset.paths
        return training_key(facts, tensors, files)

    def make_step(self, fabric: Fabric) -> MultiTaskStep:
        """The training step with its optimisers and class centres, on Fabric's device."""
        weighting, optimizer = self.weighting.to(fabric.device), self.params.optimizer
        return MultiTaskStep(
            network=self.network,
            weighting=weighting,
            task_losses_of=task_losses_of(self.network, self.losses).to(fabric.device),
            optimizer=make_optimizer(
                optimizer.name,
                self.network.parameters(),
                learning_rate=optimizer.learning_rate,
                weight_decay=optimizer.weight_decay,
                undecayed=weighting.parameters() if weighting.trains_with_network else (),
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
        )


def _finite_check(tasks: tuple[str, ...]) -> Callable[[Tensor], None]:
    """A check of the task losses that names a loss that is NaN or infinite."""

    def check(task_losses: Tensor) -> None:
        if not bool(torch.isfinite(task_losses).all()):
            losses = ", ".join(f"{task} {loss}" for task, loss in zip(tasks, task_losses.tolist(), strict=True))
            raise NonFiniteLossError(f"a loss is no finite number ({losses}).")

    return check
