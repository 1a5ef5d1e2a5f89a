"""The geometry of a crop: which face, which box, and cutting it out. Pure; opens no file."""

import numpy as np
from PIL import Image

from dwmtl.alignment.detector import Detections

Box = tuple[int, int, int, int]
"""xyxy, whole pixels of the photo, inside it."""


def choose_face(detections: Detections, photo_size: tuple[int, int], *, select: str) -> int:
    """Index of the face to take; the first of equal ones.

    Args:
        detections: at least one face.
        photo_size: (height, width), pixels.
        select: `center_weighted_size`: the largest area - 2 * squared offset of the box's centre from the photo's;
            `largest`: area; `most_confident`.
    Source of the first rule: davidsandberg/facenet's alignment.
    """
    x1, y1, x2, y2 = detections.boxes.astype(np.float64).T
    area = (x2 - x1) * (y2 - y1)
    if select == "most_confident":
        return int(np.argmax(detections.confidences))
    if select == "largest":
        return int(np.argmax(area))
    height, width = photo_size
    offset = ((x1 + x2) / 2 - width / 2) ** 2 + ((y1 + y2) / 2 - height / 2) ** 2
    return int(np.argmax(area - 2 * offset))


def box_with_margin(box: np.ndarray, photo_size: tuple[int, int], *, crop_px: int, margin_px: int) -> Box:
    """The box grown so that the margin is `margin_px` wide in the crop, both sides together, cut at the photo's edges.

    Each side of length s grows by s * margin / (crop - margin) in all: a constant fraction of the face.
    Source: facenet-pytorch's `extract_face`.
    """
    height, width = photo_size
    x1, y1, x2, y2 = (float(value) for value in box)
    share = margin_px / (crop_px - margin_px) / 2
    grow_x, grow_y = (x2 - x1) * share, (y2 - y1) * share
    left, top = min(int(max(x1 - grow_x, 0)), width - 1), min(int(max(y1 - grow_y, 0)), height - 1)
    return left, top, max(int(min(x2 + grow_x, width)), left + 1), max(int(min(y2 + grow_y, height)), top + 1)


def center_box(photo_size: tuple[int, int], *, fraction: float = 0.6) -> Box:
    """Where the face is most likely when none was found: the centred square, `fraction` of the shorter side."""
    height, width = photo_size
    side = max(1, round(min(height, width) * fraction))
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def cut(photo: np.ndarray, box: Box, *, crop_px: int) -> Image.Image:
    """The box of a photo (H, W, 3), as a square of `crop_px` pixels; its aspect is not kept, as facenet does not."""
    return Image.fromarray(photo).resize((crop_px, crop_px), Image.Resampling.BILINEAR, box=box)
