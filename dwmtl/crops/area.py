"""Area resampling of photos and of boxes in them.

Integral images make every mean cost four reads, whatever the window's size. The results equal
`torch.nn.functional.interpolate(mode="area")` up to the last bit of a float32, since the sums here are exact integers.
Knows nothing of faces.
"""

import functools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class IntegralImages:
    """The integral images of some photos, of any sizes, in one table, so that boxes of all of them are cut together.

    The integral image of a photo (H, W, 3) is (H + 1, W + 1, 3): at (y, x) the sum of the pixels above and left of it.
    Its sums are int32 and may wrap around in a large photo; differences come out right while a window holds fewer than
    8.4 million pixels (2^31 / 255).

    Args:
        photos: (H, W, 3) uint8 each.
        device: holds them, at 12 bytes per pixel.
    Source: Crow 1984, summed-area tables.
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
        """Scale a photo to `size` (height, width) and write some of its rows into `out` (rows, width, 3) float32, in
        [0, 255].
        """
        image = self._images[photo]
        top, bottom = (edge[rows] for edge in _windows_of(image.shape[0] - 1, size[0], image.device))
        left, right = _windows_of(image.shape[1] - 1, size[1], image.device)
        strips = image.index_select(0, bottom) - image.index_select(0, top)
        sums = strips.index_select(1, right) - strips.index_select(1, left)
        area = (bottom - top)[:, None] * (right - left)
        torch.div(sums, area[..., None], out=out)

    def cut(self, photos: Tensor, boxes: Tensor, side: int) -> Tensor:
        """Cut out boxes and scale them to squares.

        Args:
            photos: (K,) int64, the index of each box's photo.
            boxes: (K, 4) int64 xyxy, not empty, inside their photo.
            side: side of a square, pixels.
        Returns:
            (K, 3, side, side) float32 in [0, 255], channels last in memory.
        """
        left, top, width, height = *boxes[:, :2].T, *(boxes[:, 2:] - boxes[:, :2]).T
        x1, x2 = (edge + left[:, None] for edge in windows(width, side))  # (K, side)
        y1, y2 = (edge + top[:, None] for edge in windows(height, side))
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
    return windows(torch.tensor(length, device=device), num)


def windows(length: Tensor, num: int) -> tuple[Tensor, Tensor]:
    """First and one past the last pixel of each of `num` windows over `length` pixels, (..., num) int64.

    Window i is floor(i * length / num) to ceil((i + 1) * length / num): neighbours share a pixel they both touch.
    Source: adaptive average pooling, as torch defines it.
    """
    edges = torch.arange(num + 1, device=length.device) * length[..., None]
    return edges[..., :-1] // num, (edges[..., 1:] + num - 1) // num
