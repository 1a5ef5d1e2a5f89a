"""MTCNN's cascade, on photos of any sizes together.

P-Net proposes boxes at every level of a pyramid, R-Net refines them, O-Net refines those and adds landmarks. The
arithmetic of boxes is facenet-pytorch's, pixel for pixel; the batching is ours:

- the pyramid and the crops of R- and O-Net come from integral images, in a few reads;
- the levels of all photos go through P-Net as tiles, tiles of similar size in a batch; padding does not change the
  result, and large levels are cut into strips that overlap by P-Net's receptive field;
- candidates of all photos go through R- and O-Net together, in chunks;
- activations stay small enough for the processor's cache.

Knows nothing of files and of crops.
Source: Zhang et al. 2016, arXiv:1604.02878; facenet-pytorch 2.5.3 for rounding and order.
"""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dwmtl.crops.area import AreaSampler
from dwmtl.crops.integral_images import IntegralImages
from dwmtl.crops.integral_table import IntegralTable
from dwmtl.crops.mtcnn_networks import Refined, RefinementNet, o_net, p_net, r_net
from dwmtl.crops.suppression import suppress, suppress_contained

_FIELD_PX = 12
"""P-Net's receptive field; it steps by two pixels."""

_PADDED_SHARE = 0.3
"""Largest share of a tile's place in a batch that may be padding."""

_MOST_CANDIDATES = 50_000
"""Boxes per level and per photo that are considered further, those with the highest scores. Bounds the time; far above
what any photo has."""


class Budget(NamedTuple):
    """How much goes through a network at once: `pixels` through P-Net, boxes through R-Net and O-Net."""

    pixels: int
    r_net: int
    o_net: int


CPU_BUDGET = Budget(pixels=95_000, r_net=128, o_net=32)
"""Activations of a few MB: they stay in the cache, and malloc reuses the same pages."""

GPU_BUDGET = Budget(pixels=24_000_000, r_net=8192, o_net=2048)
"""About 4 GB of activations at most."""


class Faces(NamedTuple):
    """Of one photo: boxes (N, 4) xyxy, confidences (N,), landmarks (N, 5, 2) xy; float32, the most confident first."""

    boxes: np.ndarray
    confidences: np.ndarray
    landmarks: np.ndarray


@dataclass(frozen=True)
class _Tile:
    """Rows of a level of a photo's pyramid. `size`: the whole level's (height, width); `level`: its number, from 0."""

    photo: int
    level: int
    scale: float
    size: tuple[int, int]
    rows: slice

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows.stop - self.rows.start, self.size[1]


class _Candidates(NamedTuple):
    """Boxes of all photos, sorted by photo. photos (N,) int64; boxes (N, 4) float32, xyxy; scores (N,)."""

    photos: Tensor
    boxes: Tensor
    scores: Tensor

    def at(self, chosen: Tensor) -> "_Candidates":
        return _Candidates(*(values[chosen] for values in self))


class Mtcnn:
    """The cascade.

    Args:
        min_face_px: smallest face searched for, pixels of the photo.
        thresholds: probabilities kept by the three networks.
        pyramid_factor: scale from one level to the next, in (0, 1).
        device: where the networks run.
        autocast: float type of the networks' convolutions; None: float32.
        budget: None: `CPU_BUDGET` or `GPU_BUDGET`, by the device.
    """

    def __init__(
        self,
        *,
        min_face_px: int,
        thresholds: Sequence[float],
        pyramid_factor: float,
        device: torch.device,
        autocast: torch.dtype | None = None,
        budget: Budget | None = None,
    ):
        self._min_face_px, self._thresholds, self._factor = min_face_px, tuple(thresholds), pyramid_factor
        self._device, self._autocast = device, autocast
        is_blocked = device.type == "cpu" and autocast is None
        self._p_net = p_net(device=device, is_blocked=is_blocked)
        self._r_net = r_net(device=device, is_blocked=is_blocked)
        self._o_net = o_net(device=device, is_blocked=is_blocked)
        self._budget = budget or (CPU_BUDGET if device.type == "cpu" else GPU_BUDGET)

    @torch.inference_mode()
    def __call__(self, photos: Sequence[np.ndarray]) -> list[Faces]:
        """Find the faces of photos, (H, W, 3) uint8 RGB each; a photo smaller than `min_face_px` has none."""
        images = self._sampler(photos)
        candidates = self._propose(images, [photo.shape[:2] for photo in photos])
        candidates = self._refine(images, candidates)
        return _by_photo(len(photos), *self._finish(images, candidates))

    def _sampler(self, photos: Sequence[np.ndarray]) -> AreaSampler:
        return IntegralImages(photos) if self._device.type == "cpu" else IntegralTable(photos, device=self._device)

    def _propose(self, images: AreaSampler, sizes: list[tuple[int, int]]) -> _Candidates:
        """P-Net's candidates: suppressed per level, then per photo, moved by the regression and made square."""
        tiles = [tile for photo, size in enumerate(sizes) for tile in self._tiles(photo, size)]
        if not tiles:
            return _no_candidates(self._device)
        parts = [self._propose_batch(images, batch) for batch in _batches(tiles, self._budget.pixels)]
        photos, levels, boxes, scores, moves = (torch.cat(values) for values in zip(*parts, strict=True))
        kept = _suppressed(photos * (int(levels.max()) + 1 if len(levels) else 1) + levels, boxes, scores, overlap=0.5)
        photos, boxes, scores, moves = photos[kept], boxes[kept], scores[kept], moves[kept]
        kept = _suppressed(photos, boxes, scores, overlap=0.7)
        sides = (boxes[kept, 2:] - boxes[kept, :2]).repeat(1, 2)
        return _Candidates(photos[kept], _squared(boxes[kept] + moves[kept] * sides), scores[kept])

    def _tiles(self, photo: int, size: tuple[int, int]) -> Iterator[_Tile]:
        """The levels of a photo's pyramid, finest first, cut into strips of at most the budget's pixels.

        A strip starts at an even row and has an even number of rows, so that its cells are those of the level.
        """
        scale, shorter = _FIELD_PX / self._min_face_px, min(size) * _FIELD_PX / self._min_face_px
        level = 0
        while shorter >= _FIELD_PX:
            height, width = (int(length * scale + 1) for length in size)
            num_rows = max(2 * _FIELD_PX, self._budget.pixels // width // 2 * 2)
            start = 0
            while start + num_rows < height:
                yield _Tile(photo, level, scale, (height, width), slice(start, start + num_rows))
                start += num_rows - 10  # rows of the next strip in the last cells' receptive field
            yield _Tile(photo, level, scale, (height, width), slice(start, height))
            scale, shorter, level = scale * self._factor, shorter * self._factor, level + 1

    def _propose_batch(self, images: AreaSampler, tiles: list[_Tile]) -> tuple[Tensor, ...]:
        """Photos, levels, boxes, scores and regressions (N, 4) of P-Net's hits in a batch of tiles."""
        height, width = (max(tile.shape[axis] for tile in tiles) for axis in (0, 1))
        canvas = torch.zeros((len(tiles), height, width, 3), device=self._device)
        for place, tile in zip(canvas, tiles, strict=True):
            images.scaled(tile.photo, tile.size, tile.rows, out=place[: tile.shape[0], : tile.shape[1]])
        with self._precision():
            pictures = _standardized(canvas.permute(0, 3, 1, 2))
            scores, moves = self._p_net(pictures, [tile.shape for tile in tiles])
        num_cells = torch.tensor([[(n - 1) // 2 - 4 for n in tile.shape] for tile in tiles], device=self._device)
        hits = (scores >= self._thresholds[0]).nonzero()
        hits = hits[(hits[:, 1:] < num_cells[hits[:, 0]]).all(1)]  # without hits in the padding
        tile, row, column = hits.T
        of_tiles = [(t.photo, t.level, t.rows.start // 2) for t in tiles]
        photos, levels, first_rows = torch.tensor(of_tiles, device=self._device)[tile].T
        scales = torch.tensor([t.scale for t in tiles], device=self._device)[tile, None]  # float32, as the division is
        corner = 2 * torch.stack([column, row + first_rows], 1)
        boxes = torch.cat([((corner + 1) / scales).floor(), ((corner + _FIELD_PX) / scales).floor()], 1)
        return photos, levels, boxes, scores[tile, row, column], moves[tile, :, row, column]

    def _refine(self, images: AreaSampler, candidates: _Candidates) -> _Candidates:
        """The candidates that R-Net accepts, suppressed per photo, moved and made square."""
        candidates, refined = self._run_on_candidates(images, candidates, self._r_net, 24, self._budget.r_net)
        passed = (candidates.scores > self._thresholds[1]).nonzero()[:, 0]
        candidates, moves = candidates.at(passed), refined.moves[passed]
        kept = suppress(candidates.boxes, candidates.scores, candidates.photos, overlap=0.7)
        candidates = candidates.at(kept)
        return candidates._replace(boxes=_squared(_moved(candidates.boxes, moves[kept])))

    def _finish(self, images: AreaSampler, candidates: _Candidates) -> tuple[_Candidates, Tensor]:
        """The candidates that O-Net accepts, moved, and their landmarks (N, 5, 2)."""
        candidates, refined = self._run_on_candidates(images, candidates, self._o_net, 48, self._budget.o_net)
        passed = (candidates.scores > self._thresholds[2]).nonzero()[:, 0]
        candidates, moves = candidates.at(passed), refined.moves[passed]
        sides = candidates.boxes[:, 2:] - candidates.boxes[:, :2] + 1
        landmarks = (
            refined.landmarks[passed].view(-1, 2, 5).transpose(1, 2) * sides[:, None]
            + candidates.boxes[:, None, :2]
            - 1
        )
        return candidates._replace(boxes=_moved(candidates.boxes, moves)), landmarks

    def _run_on_candidates(
        self, images: AreaSampler, candidates: _Candidates, net: RefinementNet, side: int, chunk: int
    ) -> tuple[_Candidates, Refined]:
        """Cut out the candidates that overlap their photo, scale them to `side` and run a network on them.

        Returns these candidates, with the network's probabilities, and its answers for them.
        """
        low, high = candidates.boxes.trunc().long().split(2, dim=1)
        low, high = low.clamp(min=1) - 1, torch.minimum(high, images.sizes[candidates.photos].flip(1))
        inside = (high > low).all(1).nonzero()[:, 0]
        candidates, boxes = candidates.at(inside), torch.cat([low, high], 1)[inside]
        parts = []
        for part in range(0, max(len(boxes), 1), chunk):
            crops = images.cut(candidates.photos[part : part + chunk], boxes[part : part + chunk], side)
            parts.append(self._run(net, crops))
        refined = Refined(*(torch.cat(values) for values in zip(*parts, strict=True)))
        return candidates._replace(scores=refined.scores), refined

    def _run(self, net: RefinementNet, crops: Tensor) -> Refined:
        """Answers of R-Net or O-Net for crops (K, 3, side, side) in [0, 255]."""
        if not len(crops):  # the networks do not accept an empty batch
            return Refined(*(values[:0] for values in self._run(net, crops.new_zeros((1, *crops.shape[1:])))))
        with self._precision():
            return net(_standardized(crops))

    def _precision(self) -> contextlib.AbstractContextManager:
        return torch.autocast(self._device.type, self._autocast, enabled=self._autocast is not None)


def _no_candidates(device: torch.device) -> _Candidates:
    photos, boxes = torch.zeros(0, dtype=torch.int64, device=device), torch.zeros((0, 4), device=device)
    return _Candidates(photos, boxes, boxes[:, 0])


def _batches(tiles: list[_Tile], pixels: int) -> Iterator[list[_Tile]]:
    """Batches of tiles of similar size; padded, a batch has at most `pixels` unless a single tile has more."""
    batch: list[_Tile] = []
    width = 0
    for tile in sorted(tiles, key=lambda tile: tile.shape, reverse=True):
        height = batch[0].shape[0] if batch else tile.shape[0]
        width = max(width, tile.shape[1])
        least = min(t.shape[0] * t.shape[1] for t in (*batch, tile))
        if batch and ((len(batch) + 1) * height * width > pixels or least < (1 - _PADDED_SHARE) * height * width):
            yield batch
            batch, width = [], tile.shape[1]
        batch.append(tile)
    yield batch


def _suppressed(groups: Tensor, boxes: Tensor, scores: Tensor, *, overlap: float) -> Tensor:
    """Suppress the `_MOST_CANDIDATES` boxes with the highest scores of each group; indices of those that stay.

    Sorted by group, the highest score of a group first.
    """
    order = scores.argsort(descending=True, stable=True)
    order = order[groups[order].argsort(stable=True)]
    counts = torch.unique_consecutive(groups[order], return_counts=True)[1]
    rank = torch.arange(len(order), device=order.device) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    order = order[rank < _MOST_CANDIDATES]
    return order[suppress(boxes[order], scores[order], groups[order], overlap=overlap)]


def _standardized(pixels: Tensor) -> Tensor:
    return (pixels - 127.5) * 0.0078125


def _moved(boxes: Tensor, moves: Tensor) -> Tensor:
    """Boxes moved by a regression in units of their sides; a side includes both of its end pixels."""
    return boxes + moves * (boxes[:, 2:] - boxes[:, :2] + 1).repeat(1, 2)


def _squared(boxes: Tensor) -> Tensor:
    """The squares with the same centres and the longer sides."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longer = sides.amax(1, keepdim=True)
    low = boxes[:, :2] + sides * 0.5 - longer * 0.5
    return torch.cat([low, low + longer], 1)


def _by_photo(num_photos: int, candidates: _Candidates, landmarks: Tensor) -> list[Faces]:
    """Each photo's faces, after a last suppression."""
    photos, boxes, scores, points = (values.cpu().numpy() for values in (*candidates, landmarks))
    places = np.searchsorted(photos, np.arange(num_photos + 1))
    faces = []
    for first, last in itertools.pairwise(places):
        kept = first + suppress_contained(boxes[first:last], scores[first:last], overlap=0.7)
        faces.append(Faces(boxes[kept], scores[kept], points[kept]))
    return faces
