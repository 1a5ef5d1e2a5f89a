"""Non-maximum suppression: of overlapping boxes, the highest score stays. Knows nothing of faces or networks."""

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import nms

_MOST_TOGETHER = 20_000
"""Boxes compared at once on a GPU, where memory grows with their square: 50 MB."""


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
    kept, start = [torch.zeros(0, dtype=torch.int64, device=boxes.device)], 0
    counts = torch.unique_consecutive(groups, return_counts=True)[1].tolist()
    for num in _pieces(counts, _MOST_TOGETHER if boxes.is_cuda else 0):
        piece = slice(start, start + num)
        kept.append(start + _suppress_piece(boxes[piece], scores[piece], groups[piece], overlap))
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


def _suppress_piece(boxes: Tensor, scores: Tensor, groups: Tensor, overlap: float) -> Tensor:
    if not boxes.is_cuda:  # one group
        return nms(boxes, scores, overlap)
    apart = (boxes.max() - boxes.min() + 1).double() * (groups - groups[0])
    kept = nms(boxes.double() + apart[:, None], scores.double(), overlap)
    return kept[groups[kept].argsort(stable=True)]


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
