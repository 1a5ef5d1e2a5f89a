"""Area resampling of photos and of boxes in them: a pixel of the result is the mean of a window of the photo.

Integral images make every mean cost four reads, whatever the window's size. The results equal
`torch.nn.functional.interpolate(mode="area")` up to the last bit of a float32, since the sums are exact integers. Knows
nothing of faces.

Source: Crow 1984, summed-area tables.
"""

from typing import Protocol, TypeVar

import numpy as np
from torch import Tensor

Integers = TypeVar("Integers", np.ndarray, Tensor)


class AreaSampler(Protocol):
    """Some photos, of any sizes, that can be scaled and cut; `integral_images` on the CPU, `integral_table` on a GPU.

    The integral image of a photo (H, W, 3) is (H + 1, W + 1, 3): at (y, x) the sum of the pixels above and left of it.
    Its sums are int32 and may wrap around in a large photo; differences come out right while a window holds fewer than
    8.4 million pixels (2^31 / 255).

    Attributes:
        sizes: (N, 2) int64, height and width of each photo, pixels.
    """

    sizes: Tensor

    def scaled(self, photo: int, size: tuple[int, int], rows: slice, *, out: Tensor) -> None:
        """Scale a photo to `size` (height, width) and write some of its rows into `out` (rows, width, 3) float32, in
        [0, 255]; the values of a row are side by side in memory.
        """

    def cut(self, photos: Tensor, boxes: Tensor, side: int) -> Tensor:
        """Cut out boxes and scale them to squares.

        Args:
            photos: (K,) int64, the index of each box's photo.
            boxes: (K, 4) int64 xyxy, not empty, inside their photo.
            side: side of a square, pixels.
        Returns:
            (K, 3, side, side) float32 in [0, 255], channels last in memory.
        """


def windows(length: Integers, steps: Integers) -> tuple[Integers, Integers]:
    """First and one past the last pixel of each window over some pixels, (..., num) int64.

    Of `num` windows over `length` pixels, window i is floor(i * length / num) to ceil((i + 1) * length / num):
    neighbours share a pixel they both touch.

    Args:
        length: (...,) int64.
        steps: the numbers from 0 to `num`, where `length` is.
    Source: adaptive average pooling, as torch defines it.
    """
    num = len(steps) - 1
    edges = steps * length[..., None]
    return edges[..., :-1] // num, (edges[..., 1:] + num - 1) // num
