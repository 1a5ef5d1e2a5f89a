"""Non-maximum suppression: of boxes that show one thing, the surest stays. Knows nothing of faces or networks."""

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import nms

_MOST_TOGETHER = 20_000
"""Boxes compared at once on a GPU, whose table of overlaps is quadratic: 50 MB."""


def suppress(boxes: Tensor, scores: Tensor, groups: Tensor, *, overlap: float) -> Tensor:
    """Indices of the boxes that stay: no surer box of their group, which itself stays, overlaps them by more.

    Args:
        boxes: (N, 4) xyxy.
        scores: (N,), higher is surer; of equal ones the first stays.
        groups: (N,) int64, ascending; boxes of different groups do not touch one another.
        overlap: greatest intersection over union.
    Returns:
        (M,) int64, by group, the surest of a group first.
    """
    kept, start = [torch.zeros(0, dtype=torch.int64, device=boxes.device)], 0
    counts = torch.unique_consecutive(groups, return_counts=True)[1].tolist()
    for num in _pieces(counts, _MOST_TOGETHER if boxes.is_cuda else 0):
        piece = slice(start, start + num)
        kept.append(start + _suppress_piece(boxes[piece], scores[piece], groups[piece], overlap))
        start += num
    return torch.cat(kept)


def _pieces(counts: list[int], most: int) -> list[int]:
    """Boxes a piece: neighbouring groups together up to `most`, a larger group alone."""
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
    """Indices of the boxes that stay, the surest first; here a box inside another overlaps it wholly.

    The overlap is the intersection over the smaller of the two areas, sides counted in whole pixels, both ends
    included; of equal scores the last stays.

    Args:
        boxes: (N, 4) float32, xyxy.
        scores: (N,).
    Source: the `Min` rule of MTCNN's last stage, as facenet-pytorch has it.
    """
    order = np.argsort(scores)[::-1]
    low, high = boxes[order, :2], boxes[order, 2:]
    area = np.prod(high - low + 1, axis=1)
    stays = np.ones(len(order), bool)
    for i in range(len(order)):  # a row at a time: a table of all pairs would grow with the square of the boxes
        if stays[i]:
            less_sure = slice(i + 1, None)
            sides = np.minimum(high[i], high[less_sure]) - np.maximum(low[i], low[less_sure]) + 1
            inside = np.prod(np.maximum(sides, 0), axis=1) / np.minimum(area[i], area[less_sure])
            stays[less_sure] &= inside <= overlap
    return order[stays]
