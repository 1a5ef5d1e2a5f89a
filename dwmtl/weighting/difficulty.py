"""How hard a task is now, by its loss: an option of the dynamic-weight unit, which takes the loss itself."""

import torch
from torch import Tensor, nn

from dwmtl.weighting.params import RelativeTo


class Difficulty(nn.Module):
    """Task losses -> difficulties, (T,), >= 0.

    Args:
        chance: (T,), the loss of a task that is guessed, nats: of C classes, ln C.
        relative_to: the losses are divided by `nothing`, by `chance`, by the task's `first` loss, or by the running
            `mean` of its losses so far.
        smoothing: in [0, 1), of the losses first: the share of the moving average that is kept at a step.
    """

    chance: Tensor
    first: Tensor
    smoothed: Tensor
    sums: Tensor
    counts: Tensor

    def __init__(self, chance: Tensor, *, relative_to: RelativeTo, smoothing: float):
        super().__init__()
        self.relative_to, self.smoothing = relative_to, smoothing
        self.register_buffer("chance", chance, persistent=False)
        self.register_buffer("first", torch.full_like(chance, torch.nan))
        self.register_buffer("smoothed", torch.full_like(chance, torch.nan))
        self.register_buffer("sums", torch.zeros_like(chance))
        self.register_buffer("counts", torch.zeros_like(chance))

    @torch.no_grad()
    def forward(self, task_losses: Tensor, has_label: Tensor) -> Tensor:
        """Call it once per step. A task without a label keeps its state."""
        losses = torch.where(self.smoothed.isnan(), task_losses, torch.lerp(task_losses, self.smoothed, self.smoothing))
        self.smoothed.copy_(torch.where(has_label, losses, self.smoothed))
        self.first.copy_(torch.where(self.first.isnan() & has_label, losses, self.first))
        self.sums += task_losses * has_label
        self.counts += has_label
        return losses / self._divisor().clamp(min=torch.finfo(losses.dtype).tiny)

    def _divisor(self) -> Tensor:
        match self.relative_to:
            case "chance":
                return self.chance
            case "first":
                return self.first.nan_to_num(nan=1.0)
            case "mean":
                return self.sums / self.counts.clamp(min=1)
            case _:
                return torch.ones_like(self.chance)
