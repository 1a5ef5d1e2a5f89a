"""Non-maximum suppression: of overlapping boxes, the highest score stays. Knows nothing of faces or networks."""

import numpy as np
import torch
from torch import Tensor

_MOST_TOGETHER = 20_000
"""Boxes compared at once on a GPU, where memory grows with their square: 50 MB."""

_BLOCK = 64
"""Boxes of a group whose overlaps with all later ones are computed at once on a CPU."""

_MOST_OVERLAPS = 4_000_000
"""Overlaps computed at once on a CPU: some 100 MB."""


def suppress(boxes: Tensor, scores: Tensor, groups: Tensor, *, overlap: float) -> Tensor:
    """Indices of the boxes that stay: those that no staying box of their group with a higher score overlaps by more.

    Args:
        boxes: (N, 4) xyxy.
        scores: (N,); of equal ones the first stays.
        groups: (N,) int64, ascending; boxes of different groups are not compared.
        overlap: largest intersection over union of two boxes that both stay.
    Returns:
        (M,) int64, by group, the highest score of a group first.
    """
    counts = torch.unique_consecutive(groups, return_counts=True)[1].tolist()
    if boxes.is_cuda:
        return _suppress_on_gpu(boxes, scores, groups, counts, overlap)
    order = scores.argsort(descending=True, stable=True)
    order = order[groups[order].argsort(stable=True)]
    return order[torch.from_numpy(_suppress_sorted(boxes[order].numpy(), np.array(counts, np.int64), overlap))]


def _suppress_sorted(boxes: np.ndarray, counts: np.ndarray, overlap: float) -> np.ndarray:
    """Which boxes stay, (N,), of groups that stand one behind the other, in each the highest score first.

    Groups of similar size are worked on together, padded to the power of two above.
    """
    stays = np.ones(len(boxes), bool)
    starts, widths = np.cumsum(counts) - counts, 2 ** np.ceil(np.log2(counts)).astype(np.int64)
    for width in np.unique(widths[widths > 1]):
        alike = np.flatnonzero(widths == width)
        num_together = max(1, _MOST_OVERLAPS // (min(width, _BLOCK) * width))
        for together in np.split(alike, range(num_together, len(alike), num_together)):
            ranks = np.arange(counts[together].max())
            is_box = ranks < counts[together, None]
            places = np.where(is_box, starts[together, None] + ranks, starts[together, None])
            stays[places[is_box]] = _stay(boxes[places], overlap)[is_box]
    return stays


def _stay(boxes: np.ndarray, overlap: float) -> np.ndarray:
    """Which boxes of G groups stay, (G, M), of boxes (G, M, 4); padding stands behind the boxes of a group."""
    left, top, right, bottom = (np.ascontiguousarray(values) for values in np.moveaxis(boxes, -1, 0))
    areas = (right - left) * (bottom - top)
    stays = np.ones(areas.shape, bool)
    for start in range(0, areas.shape[1], _BLOCK):
        these, later = (slice(None), slice(start, start + _BLOCK), None), (slice(None), None, slice(start, None))
        widths = np.minimum(right[these], right[later]) - np.maximum(left[these], left[later])
        heights = np.minimum(bottom[these], bottom[later]) - np.maximum(top[these], top[later])
        shared = np.maximum(widths, 0) * np.maximum(heights, 0)
        with np.errstate(invalid="ignore"):  # boxes without an area overlap nothing
            overlaps = shared / (areas[these] + areas[later] - shared) > overlap
        for i in range(overlaps.shape[1]):
            stays[:, start + i + 1 :] &= ~(overlaps[:, i, i + 1 :] & stays[:, start + i, None])
    return stays


def _suppress_on_gpu(boxes: Tensor, scores: Tensor, groups: Tensor, counts: list[int], overlap: float) -> Tensor:
    from torchvision.ops import nms  # takes as long to import as torch

    kept, start = [torch.zeros(0, dtype=torch.int64, device=boxes.device)], 0
    for num in _pieces(counts, _MOST_TOGETHER):
        piece = slice(start, start + num)
        apart = (boxes[piece].max() - boxes[piece].min() + 1).double() * (groups[piece] - groups[start])
        stays = nms(boxes[piece].double() + apart[:, None], scores[piece].double(), overlap)
        kept.append(start + stays[groups[piece][stays].argsort(stable=True)])
        start += num
    return torch.cat(kept)


def _pieces(counts: list[int], most: int) -> list[int]:
    """Number of boxes in each piece: neighbouring groups up to `most` boxes together, a larger group alone."""
    pieces: list[int] = []
    for count in counts:
        if pieces and pieces[-1] + count <= most:
            pieces[-1] += count
        else:
            pieces.append(count)
    return pieces


def suppress_contained(boxes: np.ndarray, scores: np.ndarray, *, overlap: float) -> np.ndarray:
    """Indices of the boxes that stay, the highest score first; here a box inside another overlaps it completely.

    The overlap is the intersection over the smaller of the two areas, sides counted in whole pixels, both ends
    included; of equal scores the last stays.

    Args:
        boxes: (N, 4) float32, xyxy.
        scores: (N,).
    Source: the `Min` rule of MTCNN's last stage, as facenet-pytorch implements it.
    """
    order = np.argsort(scores)[::-1]
    low, high = boxes[order, :2], boxes[order, 2:]
    area = np.prod(high - low + 1, axis=1)
    stays = np.ones(len(order), bool)
    for i in range(len(order)):  # row by row: a table of all pairs would need quadratic memory
        if stays[i]:
            rest = slice(i + 1, None)
            sides = np.minimum(high[i], high[rest]) - np.maximum(low[i], low[rest]) + 1
            inside = np.prod(np.maximum(sides, 0), axis=1) / np.minimum(area[i], area[rest])
            stays[rest] &= inside <= overlap
    return order[stays]
