"""The geometry of a crop: which face, which box, and cutting it out. Pure; opens no file."""

import io
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dwmtl.crops.detector import Detections

TEMPLATE_112 = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Where the landmarks go in a crop of 112 pixels, xy. Source: insightface's ArcFace alignment."""

_GREY = 127

Box = tuple[int, int, int, int]
"""xyxy, whole pixels of the photo, inside it."""

Size = tuple[int, int]
"""Height and width, pixels."""


def choose_face(detections: Detections, photo_size: Size, *, select: str) -> int:
    """Index of the face to crop; of equal ones, the first.

    Args:
        detections: at least one face.
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


def box_with_margin(box: np.ndarray, photo_size: Size, *, crop_size: Size, margin_px: int) -> Box:
    """The box grown by a margin that is `margin_px` wide in the crop, both sides together, and clipped to the photo.

    Each side of length s grows by s * margin / (crop - margin) in all: a constant fraction of the face.
    Source: facenet-pytorch's `extract_face`.
    """
    share_y, share_x = (margin_px / (side_px - margin_px) / 2 for side_px in crop_size)
    x1, y1, x2, y2 = (float(value) for value in box)
    return _grown(box, photo_size, (x2 - x1) * share_x, (y2 - y1) * share_y)


def box_with_photo_margin(box: np.ndarray, photo_size: Size, *, margin_px: int) -> Box:
    """The box grown by `margin_px` of the photo, both sides together, and clipped to the photo.

    Source: davidsandberg/facenet's alignment; 44 px for crops of 182, 32 for 160.
    """
    return _grown(box, photo_size, margin_px / 2, margin_px / 2)


def _grown(box: np.ndarray, photo_size: Size, grow_x: float, grow_y: float) -> Box:
    height, width = photo_size
    x1, y1, x2, y2 = (float(value) for value in box)
    left, top = min(int(max(x1 - grow_x, 0)), width - 1), min(int(max(y1 - grow_y, 0)), height - 1)
    return left, top, max(int(min(x2 + grow_x, width)), left + 1), max(int(min(y2 + grow_y, height)), top + 1)


def similarity(landmarks: np.ndarray, *, crop_size: Size) -> np.ndarray:
    """The rotation, scale and shift (2, 3) that maps crop pixels to photo pixels, and the template onto the landmarks.

    Least squares over the five points, without reflection: with complex numbers z = a w + b, w the template's points
    minus their mean, a = sum(conj(w) z) / sum(|w|^2). The template is scaled to the crop's height and centred
    horizontally: a crop of 112 x 96 is one of 112 x 112 without 8 columns on either side.

    Args:
        landmarks: (5, 2) xy, pixels of the photo, as in `Detections`.
    Source: Umeyama 1991; template: insightface's, at 112 px.
    """
    height, width = crop_size
    template = (TEMPLATE_112 * (height / 112) + [(width - height) / 2, 0]) @ np.array([1, 1j])
    points = landmarks.astype(np.float64) @ np.array([1, 1j])
    centred = template - template.mean()
    turn = np.sum(centred.conj() * points) / np.sum(np.abs(centred) ** 2)
    shift = points.mean() - turn * template.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def center_box(photo_size: Size, *, crop_size: Size, fraction: float = 0.6) -> Box:
    """The box that is cropped where no face was found: centred, of the crop's aspect ratio, `fraction` of what fits."""
    height, width = photo_size
    aspect = crop_size[1] / crop_size[0]
    box_height = max(1, round(min(height, width / aspect) * fraction))
    box_width = max(1, round(min(width, height * aspect) * fraction))
    left, top = (width - box_width) // 2, (height - box_height) // 2
    return left, top, left + box_width, top + box_height


@dataclass(frozen=True)
class Enlarged:
    """A photo as faces are looked for in it.

    Attributes:
        picture: (H, W, 3).
        scale: picture pixels a photo pixel; left, top: where the photo begins in the picture, pixels.
    """

    picture: np.ndarray
    scale: float = 1.0
    left: int = 0
    top: int = 0

    def in_photo(self, points: np.ndarray) -> np.ndarray:
        """Points of the picture, x and y in turn, any shape -> the photo's pixels, flat."""
        return ((points.astype(float).reshape(-1, 2) - [self.left, self.top]) / self.scale).ravel()


def enlarge(photo: np.ndarray, *, longer_px: int | None) -> Enlarged:
    """A photo (H, W, 3) whose longer side is shorter than `longer_px`, enlarged to it (bicubic) and framed in grey.

    A detector trained on photographs does not find a face of few pixels, nor one that fills the picture: the frame
    makes it half as large again, a quarter on each side. Larger photos, and all where `longer_px` is None, stay.
    """
    height, width = photo.shape[:2]
    if longer_px is None or max(height, width) >= longer_px:
        return Enlarged(photo)
    scale = longer_px / max(height, width)
    large = Image.fromarray(photo).resize(
        (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BICUBIC
    )
    left, top = large.width // 4, large.height // 4
    frame = ((top, top), (left, left), (0, 0))
    return Enlarged(np.pad(np.asarray(large), frame, constant_values=_GREY), scale, left, top)


def scale_crop(crop: np.ndarray, crop_size: Size, *, form: str) -> Image.Image:
    """Scale a picture (H, W, 3) that is a crop already.

    The form `similarity` keeps the aspect ratio: excess width or height is cut off evenly on both sides. The other
    forms do not keep it.
    """
    height, width = crop.shape[:2]
    box = (0, 0, width, height)
    if form == "similarity":
        box = center_box((height, width), crop_size=crop_size, fraction=1.0)
    return cut(crop, box, crop_size=crop_size)


def cut(photo: np.ndarray, box: Box, *, crop_size: Size) -> Image.Image:
    """The box of a photo (H, W, 3), scaled to the crop's size without keeping its aspect ratio, as in facenet."""
    return Image.fromarray(photo).resize(crop_size[::-1], Image.Resampling.BILINEAR, box=box)


def warp(photo: np.ndarray, crop_to_photo: np.ndarray, *, crop_size: Size) -> Image.Image:
    """The crop of a photo (H, W, 3) under the transform that `similarity` returns; black outside the photo.

    A photo of more than twice the crop's resolution is averaged first, since the interpolation reads four pixels only.
    """
    factor = max(1, int(np.hypot(*crop_to_photo[:, 0])))
    picture = Image.fromarray(photo)
    picture = picture.reduce(factor) if factor > 1 else picture
    turn, shift = crop_to_photo[:, :2], crop_to_photo[:, 2]
    shift = shift + 0.5 - turn @ [0.5, 0.5]  # Pillow counts from a pixel's corner, landmarks from its centre
    data = (np.column_stack([turn, shift]) / factor).ravel().tolist()
    return picture.transform(crop_size[::-1], Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)


def face_crop(
    photo: np.ndarray, box: np.ndarray, landmarks: np.ndarray, *, form: str, crop_size: Size, margin_px: int
) -> Image.Image:
    """The crop of a face of a photo (H, W, 3), in one of the forms of `align.crop_form`."""
    if form == "similarity":
        return warp(photo, similarity(landmarks, crop_size=crop_size), crop_size=crop_size)
    size = photo.shape[:2]
    if form == "margin_in_photo":
        return cut(photo, box_with_photo_margin(box, size, margin_px=margin_px), crop_size=crop_size)
    return cut(photo, box_with_margin(box, size, crop_size=crop_size, margin_px=margin_px), crop_size=crop_size)


def encoded(crop: Image.Image) -> bytes:
    """Encode a crop as PNG: by run lengths, which takes a third of zlib's usual time and as many bytes."""
    buffer = io.BytesIO()
    crop.save(buffer, "PNG", compress_type=zlib.Z_RLE)
    return buffer.getvalue()
