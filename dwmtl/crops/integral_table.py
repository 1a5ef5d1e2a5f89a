"""Area resampling on a GPU: the integral images of all photos in one table, boxes of all of them cut together.

Knows nothing of faces.
"""

import functools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dwmtl.crops.area import windows


class IntegralTable:
    """The integral images of some photos, one behind the other; an `area.AreaSampler`.

    Args:
        photos: (H, W, 3) uint8 each.
        device: holds the table, at 12 bytes per pixel.
    """

    def __init__(self, photos: Sequence[np.ndarray], *, device: torch.device):
        sizes = [photo.shape[:2] for photo in photos]
        cells = [(height + 1) * (width + 1) for height, width in sizes]
        self.sizes = torch.tensor(sizes, dtype=torch.int64).reshape(-1, 2).to(device)  # (N, 2), height and width
        self._starts = torch.tensor([0, *cells]).cumsum(0)[:-1].to(device)
        self._table = torch.empty((sum(cells), 3), dtype=torch.int32, device=device)
        parts = self._table.split(cells) if cells else ()
        self._images = [part.view(h + 1, w + 1, 3) for part, (h, w) in zip(parts, sizes, strict=True)]
        for image, photo in zip(self._images, photos, strict=True):
            image[0] = 0
            image[:, 0] = 0
            pixels = np.require(photo, requirements=["C", "W"])  # torch warns about read-only memory
            image[1:, 1:] = torch.from_numpy(pixels).to(device)
            image.cumsum_(0).cumsum_(1)

    def scaled(self, photo: int, size: tuple[int, int], rows: slice, *, out: Tensor) -> None:
        """See `AreaSampler.scaled`."""
        image = self._images[photo]
        top, bottom = (edge[rows] for edge in _windows_of(image.shape[0] - 1, size[0], image.device))
        left, right = _windows_of(image.shape[1] - 1, size[1], image.device)
        strips = image.index_select(0, bottom) - image.index_select(0, top)
        sums = strips.index_select(1, right) - strips.index_select(1, left)
        area = (bottom - top)[:, None] * (right - left)
        torch.div(sums, area[..., None], out=out)

    def cut(self, photos: Tensor, boxes: Tensor, side: int) -> Tensor:
        """See `AreaSampler.cut`."""
        left, top, width, height = *boxes[:, :2].T, *(boxes[:, 2:] - boxes[:, :2]).T
        steps = torch.arange(side + 1, device=boxes.device)
        x1, x2 = (edge + left[:, None] for edge in windows(width, steps))  # (K, side)
        y1, y2 = (edge + top[:, None] for edge in windows(height, steps))
        stride = (self.sizes[photos, 1] + 1)[:, None]
        above, below = (self._starts[photos][:, None] + y * stride for y in (y1, y2))
        sums = self._at(below, x2) - self._at(above, x2) - self._at(below, x1) + self._at(above, x1)
        area = (y2 - y1)[:, :, None] * (x2 - x1)[:, None, :]
        return (sums / area[..., None]).permute(0, 3, 1, 2)

    def _at(self, rows: Tensor, columns: Tensor) -> Tensor:
        """(K, side, side, 3), the integrals where rows of the table (K, side) meet columns (K, side)."""
        places = rows[:, :, None] + columns[:, None, :]
        return self._table.index_select(0, places.flatten()).view(*places.shape, 3)


@functools.lru_cache(maxsize=1024)
def _windows_of(length: int, num: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """`windows` of one length, kept, as photos of a set often share their size."""
    return windows(torch.tensor(length, device=device), torch.arange(num + 1, device=device))
