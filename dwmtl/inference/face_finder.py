"""The faces of photos and their crops, found and cut as the stage `align` does for a model's training."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dwmtl.alignment.crop import box_with_margin, choose_face, cut
from dwmtl.alignment.detector import Detections, Detector
from dwmtl.network.model_file import ModelCard

_PIXELS_AT_A_TIME = 16_000_000
"""Of photos that are detected together: 48 MB, four times that as the detector's float32."""


@dataclass(frozen=True, eq=False)
class FoundFace:
    """A face in a photo.

    Attributes:
        box: (4,) float32, xyxy, pixels of the photo; may reach beyond its edges.
        landmarks: (5, 2) float32, xy, pixels, in the order of `Detections`.
        confidence: in [0, 1], higher is surer.
        is_chosen: whether it is the one that the model's rule takes.
        crop: (S, S, 3) uint8, RGB, as the model expects it.
    """

    box: np.ndarray
    landmarks: np.ndarray
    confidence: float
    is_chosen: bool
    crop: np.ndarray


class FaceFinder:
    """Finds and crops faces as a model's card says. May be used from several threads at once.

    Args:
        card: of the model that the crops are for.
        device: where the detector runs.
    """

    def __init__(self, card: ModelCard, *, device: torch.device):
        self._card = card
        self._detector = Detector(
            min_face_px=card.detector.min_face_px,
            thresholds=card.detector.thresholds,
            pyramid_factor=card.detector.pyramid_factor,
            device=device,
        )
        self._turn = threading.Lock()  # the detector does not promise to bear two callers at once

    def find(self, photos: Sequence[np.ndarray]) -> list[list[FoundFace]]:
        """The faces of each photo (H, W, 3) uint8, from left to right; photos of one size are looked at together."""
        found: list[list[FoundFace]] = [[] for _ in photos]
        for rows in _groups_of_one_size(photos):
            with self._turn:
                detections = self._detector(np.stack([photos[row] for row in rows]))
            for row, faces in zip(rows, detections, strict=True):
                found[row] = self._cropped(photos[row], faces)
        return found

    def _cropped(self, photo: np.ndarray, faces: Detections) -> list[FoundFace]:
        if not len(faces):
            return []
        size, crop_px = photo.shape[:2], self._card.crop_px
        chosen = choose_face(faces, size, select=self._card.detector.select)
        cropped = []
        for i in np.argsort(faces.boxes[:, 0], kind="stable"):
            box = box_with_margin(faces.boxes[i], size, crop_px=crop_px, margin_px=self._card.margin_px)
            crop = np.array(cut(photo, box, crop_px=crop_px))
            confidence = float(faces.confidences[i])
            cropped.append(FoundFace(faces.boxes[i], faces.landmarks[i], confidence, bool(i == chosen), crop))
        return cropped


def _groups_of_one_size(photos: Sequence[np.ndarray]) -> list[list[int]]:
    """Rows of photos of one shape, no more of them together than memory should hold."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for row, photo in enumerate(photos):
        by_shape.setdefault(photo.shape, []).append(row)
    groups = []
    for (height, width, _), rows in by_shape.items():
        most = max(1, _PIXELS_AT_A_TIME // (height * width))
        groups += [rows[start : start + most] for start in range(0, len(rows), most)]
    return groups
