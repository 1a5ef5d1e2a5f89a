"""All that changes while a network trains, in one place: what a checkpoint holds."""

import copy
import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dwmtl.network.network import FaceNetwork
from dwmtl.training.distribution import cat_of_processes
from dwmtl.training.sharded_heads import change_classes, join_heads, own_classes
from dwmtl.training.step import MultiTaskStep, StepResult
from dwmtl.training.validation import is_better


@dataclass
class TrainingState:
    """Where a training stands. Random numbers are no part of it: a step's follow from the seed and the step's number.

    Attributes:
        step: network, weighting, class centres and optimisers.
        averaged: the moving average of the network's weights, None where none is kept.
        rows: the trajectory so far, a row per step.
        validated: a row per epoch, see `training.validation`.
        best: the network as it was after the epoch with the best validation row; None before the first.
    """

    step: MultiTaskStep
    averaged: AveragedModel | None
    rows: list[dict[str, float]] = field(default_factory=list)
    validated: list[dict[str, float]] = field(default_factory=list)
    best: FaceNetwork | None = None

    @property
    def num_skipped(self) -> int:
        """Steps that were not applied, as a loss or a gradient was no number."""
        return sum(not math.isfinite(row["grad_norm"]) for row in self.rows)

    @property
    def best_row(self) -> dict[str, float] | None:
        """The row of `best`."""
        best = None
        for row in self.validated:
            best = row if is_better(row, best) else best
        return best

    def validate(self, row: dict[str, float]) -> None:
        """Take an epoch's validation row, and the network where it is the best so far."""
        if is_better(row, self.best_row):
            self.best = copy.deepcopy(self.step.network).cpu()
        self.validated.append(row)

    def state_dict(self) -> dict[str, Any]:
        """Tensors, numbers and text alone; of heads that are split over processes, which then all call this, whole."""
        modules, optimizers = self._modules(), self._optimizers()
        state = {
            "modules": {name: module.state_dict() for name, module in modules.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in optimizers.items()},
            "best": None if self.best is None else self.best.state_dict(),
            "rows": self.rows,
            "validated": self.validated,
        }
        device = self._device
        return change_classes(
            state, self.step.network, self.step.optimizer, lambda part, dim: cat_of_processes(part, dim, device)
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a saved state."""
        state = change_classes(state, self.step.network, self.step.optimizer, own_classes)
        for name, module in self._modules().items():
            module.load_state_dict(state["modules"][name])
        for name, optimizer in self._optimizers().items():
            optimizer.load_state_dict(state["optimizers"][name])
        if state["best"] is not None:
            self.best = copy.deepcopy(self.step.network).cpu()
            self.best.load_state_dict(state["best"])
        self.rows, self.validated = state["rows"], state["validated"]

    def join_heads(self) -> None:
        """Make heads that are split over processes whole, after the last step. Every process calls it."""
        averaged = None if self.averaged is None else self.averaged.module
        for network in (self.step.network, averaged, self.best):
            if isinstance(network, FaceNetwork):
                join_heads(network, self._device)

    @property
    def _device(self) -> torch.device:
        return next(self.step.network.trunk.parameters()).device

    def _modules(self) -> dict[str, torch.nn.Module]:
        step = self.step
        modules = {"network": step.network, "weighting": step.weighting, "task_losses": step.task_losses_of}
        optional = {"averaged": self.averaged, "loss_scale": step.loss_scale}
        return modules | {name: module for name, module in optional.items() if module is not None}

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        optimizers = {"network": self.step.optimizer, "weighting": self.step.weighting_optimizer}
        return {name: optimizer for name, optimizer in optimizers.items() if optimizer is not None}

    def averaged_network(self) -> FaceNetwork | None:
        """The averaged network; batch norm's statistics are no weights, and are the trained network's."""
        if self.averaged is None:
            return None
        averaged = self.averaged.module
        assert isinstance(averaged, FaceNetwork)  # a copy of the network
        theirs = dict(averaged.named_buffers())
        for name, value in self.step.network.named_buffers():
            theirs[name].copy_(value)
        return averaged


def moving_average(network: FaceNetwork, decay: float | None) -> AveragedModel | None:
    """Of a network's weights; None where no decay is given."""
    return None if decay is None else AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay))


def skipped_step(num_tasks: int, *, has_keep_loss: bool = False) -> StepResult:
    """The result of a step that was not applied: no numbers."""
    nothing, nan = torch.full((num_tasks,), math.nan), torch.tensor(math.nan)
    return StepResult(nothing, nothing, nan, nan, nan, None, None, nan if has_keep_loss else None)
