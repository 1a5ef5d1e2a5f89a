"""Draws a model's answers into a photo: boxes, landmarks, expressions, confidences."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dwmtl.errors import DwmtlError
from dwmtl.files import write_bytes
from dwmtl.inference.answers import Analysis, Face

_CHOSEN, _OTHER, _LANDMARK, _INK = "#00d084", "#ffb000", "#ff3b6b", "#101418"


def annotate(photo: np.ndarray, analysis: Analysis) -> Image.Image:
    """Draw the faces into a photo, (H, W, 3) uint8.

    Each face has a box, green for the chosen one, five landmarks, and below the box the expression with its probability
    and the detector's confidence. Lines and letters scale with the face.
    """
    picture = Image.fromarray(photo)
    draw = ImageDraw.Draw(picture)
    for face in analysis.faces:
        line_px = max(1, round(_width(face) / 40))
        draw.rectangle(face.box, outline=_color(face), width=line_px)
        for x, y in face.landmarks.tolist():
            draw.circle((x, y), line_px, fill=_LANDMARK)
    for face in analysis.faces:  # after all boxes, so that no line crosses a label
        _draw_label(draw, face, picture.size)
    return picture


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture in the format of the path's ending; makes its folder.

    Raises:
        DwmtlError: the ending is of no format. OSError: the file cannot be written.
    """
    form = Image.registered_extensions().get(path.suffix.lower())
    encoded = io.BytesIO()
    try:
        picture.save(encoded, form)
    except (OSError, ValueError, KeyError) as error:
        raise DwmtlError(f"{path}: the picture cannot be written ({error}). Name a .png or .jpg file.") from None
    write_bytes(encoded.getvalue(), path)


def _color(face: Face) -> str:
    return _CHOSEN if face.is_chosen else _OTHER


def _width(face: Face) -> float:
    return face.box[2] - face.box[0]


def _draw_label(draw: ImageDraw.ImageDraw, face: Face, size: tuple[int, int]) -> None:
    """Draw the label below the face's box, within the photo's edges."""
    font = ImageFont.load_default(size=max(10, round(_width(face) / 5)))
    text = label(face)
    x1, y1, x2, y2 = draw.multiline_textbbox((0, 0), text, font=font)
    width, height = x2 - x1 + 6, y2 - y1 + 6
    x = max(min(face.box[0], size[0] - width), 0)
    y = max(min(face.box[3], size[1] - height), 0)
    draw.rectangle((x, y, x + width, y + height), fill=_color(face))
    draw.multiline_text((x + 3 - x1, y + 3 - y1), text, fill=_INK, font=font)


def label(face: Face) -> str:
    """Two lines, `happiness 93 %` and `face 1.00`; only the second where the model does not predict expressions."""
    confidence = f"face {face.confidence:.2f}"
    if face.expression is None:
        return confidence
    percent = round(100 * face.probabilities["expression"][face.expression])
    return f"{face.expression} {percent} %\n{confidence}"
