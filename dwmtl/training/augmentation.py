"""Random changes to a batch of training crops, on whatever device the batch is."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Augmentation:
    """Flip, shift, rotation, zoom, brightness and erasing, drawn per sample.

    Attributes:
        flip_probability, erase_probability: in [0, 1].
        max_shift_fraction: of the crop's side, each way.
        max_rotation_deg: each way, degrees.
        max_zoom_fraction, max_brightness_fraction: factor drawn from 1 - this .. 1 + this.
    """

    flip_probability: float
    max_shift_fraction: float
    max_rotation_deg: float
    max_zoom_fraction: float
    max_brightness_fraction: float
    erase_probability: float

    def __call__(
        self, crops: Tensor, generator: torch.Generator, *, of: int | None = None, part: slice = slice(None)
    ) -> Tensor:
        """Crops (B, 3, H, W), uint8 -> float32 of the same shape, in about 0..255.

        Args:
            generator: on the CPU, so that CPU and GPU draw the same changes.
            of: size of the whole batch that the crops are a part of; None: they are the whole.
            part: their place in it; a sample is changed alike however the batch is divided.
        """
        draw = _Draw(of or len(crops), part, generator, crops.device)
        flip = torch.where(draw.chance(self.flip_probability), -1.0, 1.0)
        zoom = 1 + self.max_zoom_fraction * draw.symmetric()
        angle = math.radians(self.max_rotation_deg) * draw.symmetric()
        shift = 2 * self.max_shift_fraction * torch.stack([draw.symmetric(), draw.symmetric()], dim=1)  # grid units
        gain = 1 + self.max_brightness_fraction * draw.symmetric()
        aspect = crops.shape[2] / crops.shape[3]  # the grid is -1..1 along both sides, and a rotation is of pixels
        rows = [
            torch.stack([flip * zoom * angle.cos(), -zoom * angle.sin() * aspect, shift[:, 0]], dim=1),
            torch.stack([flip * zoom * angle.sin() / aspect, zoom * angle.cos(), shift[:, 1]], dim=1),
        ]
        grid = functional.affine_grid(torch.stack(rows, dim=1), list(crops.shape), align_corners=False)
        changed = functional.grid_sample(crops.float(), grid, padding_mode="border", align_corners=False)
        return self._erase(changed * gain[:, None, None, None], draw)

    def _erase(self, crops: Tensor, draw: "_Draw") -> Tensor:
        """Set a rectangle, a fifth to two fifths of the side, of some crops to middle grey."""
        chosen = draw.chance(self.erase_probability)
        inside = []
        for length in crops.shape[2:]:
            position = torch.linspace(0, 1, length, device=crops.device)
            size = 0.3 + 0.1 * draw.symmetric()
            start = (0.5 + 0.5 * draw.symmetric()) * (1 - size)
            inside.append((position >= start[:, None]) & (position < (start + size)[:, None]))  # (B, H), (B, W)
        erased = chosen[:, None, None] & inside[0][:, :, None] & inside[1][:, None, :]  # (B, H, W)
        return torch.where(erased[:, None], 127.5, crops)


class _Draw:
    """Random numbers per sample, (B,)."""

    def __init__(self, num_samples: int, part: slice, generator: torch.Generator, device: torch.device):
        self._uniform = lambda: torch.rand(num_samples, generator=generator)[part].to(device)

    def symmetric(self) -> Tensor:
        """In [-1, 1)."""
        return 2 * self._uniform() - 1

    def chance(self, probability: float) -> Tensor:
        """True with the probability."""
        return self._uniform() < probability
