"""MTCNN with typed results, and in parts of photos that fit in memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dwmtl.crops.mtcnn import Mtcnn


@dataclass(frozen=True)
class Detections:
    """The N faces found in a photo, the most confident first.

    Attributes:
        boxes: (N, 4) float32, xyxy, pixels of the photo; may reach beyond its edges.
        confidences: (N,) float32 in [0, 1], higher is more confident.
        landmarks: (N, 5, 2) float32, xy, pixels: left eye, right eye, nose, left and right corner of the mouth, left
            and right as in the picture.
    """

    boxes: np.ndarray
    confidences: np.ndarray
    landmarks: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)


NO_FACES = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))


class Detector:
    """MTCNN with the weights that come with facenet-pytorch; the cascade is `mtcnn.Mtcnn`.

    Finds the same faces as facenet-pytorch's `MTCNN.detect`; docs/alignment.md has the measured agreement.

    Args:
        min_face_px: smallest face searched for, pixels of the photo.
        thresholds: confidences kept by the P-, R- and O-Net.
        pyramid_factor: scale from one level of the pyramid to the next, in (0, 1).
        device: where it runs.
        autocast: float type of the convolutions, such as `torch.float16` on a GPU; None: float32.
    Source: Zhang et al. 2016, arXiv:1604.02878; settings of facenet: 20 px, 0.6 / 0.7 / 0.7, 0.709.
    """

    def __init__(
        self,
        *,
        min_face_px: int,
        thresholds: Sequence[float],
        pyramid_factor: float,
        device: torch.device,
        autocast: torch.dtype | None = None,
    ):
        self.min_face_px = min_face_px
        self._most_pixels = 4_000_000 if device.type == "cpu" else 40_000_000
        self._mtcnn = Mtcnn(
            min_face_px=min_face_px,
            thresholds=thresholds,
            pyramid_factor=pyramid_factor,
            device=device,
            autocast=autocast,
        )

    def __call__(self, photos: np.ndarray | Sequence[np.ndarray]) -> list[Detections]:
        """Find the faces of photos.

        Args:
            photos: (H, W, 3) uint8 RGB each, of any sizes; or an (N, H, W, 3) array. Memory does not grow with their
                number; the largest photo takes at least 12 bytes per pixel.
        Returns:
            The faces of each photo. They may differ in the last digit if a photo comes in another batch.
        """
        return [
            Detections(*faces) if len(faces.boxes) else NO_FACES
            for part in _parts(photos, self._most_pixels)
            for faces in self._mtcnn(part)
        ]


def _parts(photos: Iterable[np.ndarray], most_pixels: int) -> Iterator[list[np.ndarray]]:
    """Consecutive photos in parts of at most `most_pixels` each; a larger photo is a part of its own."""
    part: list[np.ndarray] = []
    num_pixels = 0
    for photo in photos:
        size = photo.shape[0] * photo.shape[1]
        if part and num_pixels + size > most_pixels:
            yield part
            part, num_pixels = [], 0
        part.append(photo)
        num_pixels += size
    if part:
        yield part
