"""MTCNN, from facenet-pytorch, with a typed answer. The sole owner of facenet_pytorch."""

import logging
from dataclasses import dataclass

import numpy as np
import torch
from facenet_pytorch import MTCNN

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Detections:
    """The N faces found in a photo, in no particular order.

    Attributes:
        boxes: (N, 4) float32, xyxy, pixels of the photo; may reach beyond its edges.
        confidences: (N,) float32 in [0, 1], higher is surer.
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
    """MTCNN with its own weights, which come with facenet-pytorch.

    Args:
        min_face_px: smallest face searched for, pixels of the photo.
        thresholds: confidences kept by the P-, R- and O-Net.
        pyramid_factor: scale from one level of the pyramid to the next, in (0, 1).
        device: where it runs.
    Source: Zhang et al. 2016, arXiv:1604.02878; settings of facenet: 20 px, 0.6 / 0.7 / 0.7, 0.709.
    """

    def __init__(self, *, min_face_px: int, thresholds: list[float], pyramid_factor: float, device: torch.device):
        self.min_face_px = min_face_px
        self._mtcnn = MTCNN(
            min_face_size=min_face_px,
            thresholds=thresholds,
            factor=pyramid_factor,
            select_largest=False,
            keep_all=True,
            device=device,
        ).eval()

    def __call__(self, photos: np.ndarray) -> list[Detections]:
        """Find the faces of photos of one size, (B, H, W, 3) uint8 RGB.

        A photo on which MTCNN itself fails (facenet-pytorch does on some boxes beyond the edge) counts as one without a
        face, with a warning.
        """
        if 12.0 / self.min_face_px * min(photos.shape[1:3]) < 12:
            return [NO_FACES] * len(photos)  # MTCNN's pyramid would have no level
        try:
            return self._detect(photos)
        except torch.OutOfMemoryError:
            raise
        except (IndexError, RuntimeError, ValueError) as error:
            if len(photos) == 1:
                log.warning("MTCNN failed on a photo of %dx%d: %s", photos.shape[2], photos.shape[1], error)
                return [NO_FACES]
            return [found for photo in photos for found in self(photo[None])]

    def _detect(self, photos: np.ndarray) -> list[Detections]:
        boxes, confidences, landmarks = self._mtcnn.detect(photos, landmarks=True)
        return [
            NO_FACES
            if boxes[i] is None
            else Detections(*(np.asarray(v[i], dtype=np.float32) for v in (boxes, confidences, landmarks)))
            for i in range(len(photos))
        ]
