"""A photo with what a model says of it drawn in: boxes, landmarks, expressions, confidences."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dwmtl.errors import DwmtlError
from dwmtl.files import write_bytes
from dwmtl.inference.answers import Analysis, Face

_CHOSEN, _OTHER, _LANDMARK, _INK = "#00d084", "#ffb000", "#ff3b6b", "#101418"


def annotate(photo: np.ndarray, analysis: Analysis) -> Image.Image:
    """The photo (H, W, 3) uint8 with its faces: a box each, green for the chosen one; its five landmarks; and below it
    its expression with the probability, and the detector's confidence. Lines and letters grow with the face."""
    picture = Image.fromarray(photo)
    draw = ImageDraw.Draw(picture)
    for face in analysis.faces:
        line_px = max(1, round(_width(face) / 40))
        draw.rectangle(face.box, outline=_color(face), width=line_px)
        for x, y in face.landmarks.tolist():
            draw.circle((x, y), line_px, fill=_LANDMARK)
    for face in analysis.faces:  # after every box: no label is crossed out
        _draw_label(draw, face, picture.size)
    return picture


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture in the form that the path's ending names, making its folder.

    Raises:
        DwmtlError: the ending names no form. OSError: it cannot be written.
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
    """The label, below the face's box, where it hides no other face's eyes; never beyond the photo's edges."""
    font = ImageFont.load_default(size=max(10, round(_width(face) / 5)))
    text = label(face)
    left, top, right, bottom = draw.multiline_textbbox((0, 0), text, font=font)
    width, height = right - left + 6, bottom - top + 6
    x = max(min(face.box[0], size[0] - width), 0)
    y = max(min(face.box[3], size[1] - height), 0)
    draw.rectangle((x, y, x + width, y + height), fill=_color(face))
    draw.multiline_text((x + 3 - left, y + 3 - top), text, fill=_INK, font=font)


def label(face: Face) -> str:
    """`happiness 93 %` and `face 1.00` in a line each; the second alone where the model tells no expression."""
    confidence = f"face {face.confidence:.2f}"
    if face.expression is None:
        return confidence
    percent = round(100 * face.probabilities["expression"][face.expression])
    return f"{face.expression} {percent} %\n{confidence}"
