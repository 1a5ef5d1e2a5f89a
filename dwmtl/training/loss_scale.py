"""The factor of the losses whose gradients pass through float16, in which small ones would become 0."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

Result = TypeVar("Result")

_FIRST, _LEAST = 2.0**16, 1.0
_NUM_STEPS_TO_DOUBLE = 2000


class GradientOverflowError(Exception):
    """A gradient of the scaled losses is no finite number, and a smaller scale is left to try."""


class LossScale(nn.Module):
    """A power of two: it starts at 65,536, halves where a gradient overflows, and doubles after 2,000 steps without.

    A step that overflows is not lost: it is repeated on the same batch. Gradients are divided by the scale at once, so
    that clipping and weightings see those of the losses. A checkpoint holds the state.
    Source: Micikevicius et al. 2018, arXiv:1710.03740; numbers of `torch.amp.GradScaler`.
    """

    scale: Tensor
    num_steps: Tensor

    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.tensor(_FIRST, dtype=torch.float64))
        self.register_buffer("num_steps", torch.tensor(0))  # since the scale changed

    @property
    def value(self) -> float:
        """The scale."""
        return float(self.scale)

    @property
    def can_fall(self) -> bool:
        """Whether a smaller scale is left: at 1, a gradient that is not finite is the losses' own."""
        return self.value > _LEAST

    def run(self, step: Callable[[], Result], *, generator: torch.Generator, buffers: Sequence[Tensor]) -> Result:
        """Run a step, again with half the scale as long as it overflows.

        Args:
            step: raises GradientOverflowError before it changes a parameter.
            generator, buffers: what the step draws from and what its forward pass moves; as they were for a repetition.
        """
        state, before = generator.get_state(), [buffer.clone() for buffer in buffers]
        while True:
            try:
                result = step()
            except GradientOverflowError:
                self._set(self.value / 2)
                generator.set_state(state)
                for buffer, value in zip(buffers, before, strict=True):
                    buffer.copy_(value)
            else:
                self.num_steps += 1
                if self.num_steps == _NUM_STEPS_TO_DOUBLE:
                    self._set(self.value * 2)
                return result

    def _set(self, value: float) -> None:
        self.scale.fill_(value)
        self.num_steps.zero_()
