"""Detects the faces of photos and crops them, as the stage `align` does for a model's training."""

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dwmtl.crops.crop import choose_face, face_crop
from dwmtl.crops.detector import Detections, Detector
from dwmtl.network.model_card import ModelCard
from dwmtl.section import crop_size

_turn = threading.Lock()
"""Held while a detector runs, so that several threads do not use its memory at the same time."""


def _start_in_child() -> None:
    """Set up a forked process, which has neither torch's threads nor the thread that holds the lock."""
    global _turn
    _turn = threading.Lock()
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_in_child)


@dataclass(frozen=True, eq=False)
class FoundFace:
    """A face in a photo.

    Attributes:
        box: (4,) float32, xyxy, pixels of the photo; may reach beyond its edges.
        landmarks: (5, 2) float32, xy, pixels, in the order of `Detections`.
        confidence: in [0, 1].
        is_chosen: whether the model's rule chooses it.
        crop: (H, W, 3) uint8, RGB, as the model expects it.
    """

    box: np.ndarray
    landmarks: np.ndarray
    confidence: float
    is_chosen: bool
    crop: np.ndarray


class FaceFinder:
    """Detects and crops faces by the settings in a model's card. Thread-safe.

    Args:
        card: card of the model that the crops are for.
        device: device of the detector.
    """

    def __init__(self, card: ModelCard, *, device: torch.device):
        self._card = card
        self._detector = Detector(
            min_face_px=card.detector.min_face_px,
            thresholds=card.detector.thresholds,
            pyramid_factor=card.detector.pyramid_factor,
            device=device,
        )

    def find(self, photos: Sequence[np.ndarray]) -> list[list[FoundFace]]:
        """The faces of each photo (H, W, 3) uint8, from left to right."""
        with _turn:
            detections = self._detector(photos)
        return [self._cropped(photo, faces) for photo, faces in zip(photos, detections, strict=True)]

    def _cropped(self, photo: np.ndarray, faces: Detections) -> list[FoundFace]:
        if not len(faces):
            return []
        chosen = choose_face(faces, photo.shape[:2], select=self._card.detector.select)
        cropped = []
        for i in np.argsort(faces.boxes[:, 0], kind="stable"):
            crop = face_crop(
                photo,
                faces.boxes[i],
                faces.landmarks[i],
                form=self._card.detector.crop_form,
                crop_size=crop_size(self._card.crop_px),
                margin_px=self._card.margin_px,
            )
            confidence = float(faces.confidences[i])
            cropped.append(FoundFace(faces.boxes[i], faces.landmarks[i], confidence, bool(i == chosen), np.array(crop)))
        return cropped
