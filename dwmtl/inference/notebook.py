"""Answers as HTML for a notebook: a photo with its faces drawn, and their values. The text has no colour of its own, so
that it is legible on a dark page.
"""

import io
from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

from dwmtl.crops.photos import photo_pixels
from dwmtl.errors import UnreadablePhotoError
from dwmtl.inference.annotate import annotate

if TYPE_CHECKING:
    from dwmtl.inference.answers import Analysis, Face

_LONGEST_PX = 800
"""Side of a shown photo: a notebook keeps it in its file."""


def analysis_html(analysis: "Analysis") -> str:
    """The photo with boxes, landmarks and expressions, its name, and a row per face."""
    faces = f"{analysis.num_faces} face{'' if analysis.num_faces == 1 else 's'}"
    caption = f"{analysis.photo}, {analysis.width_px} x {analysis.height_px} px: {faces}"
    rows = "".join(map(_row, analysis.faces))
    table = f"<table><tr><th>predicted</th><th>confidence</th><th>box (px)</th><th></th></tr>{rows}</table>"
    return f"<div>{_picture(analysis)}<p>{escape(caption)}</p>{table if rows else ''}</div>"


def verdict_html(verdict: str, *reasons: str) -> str:
    """A verdict, and on lines of their own its reasons."""
    return f"<div><b>{escape(verdict)}</b>{''.join(f'<br>{escape(reason)}' for reason in reasons)}</div>"


def _picture(analysis: "Analysis") -> str:
    """The drawn photo as an image that is part of the page; a note where it can no longer be read."""
    if analysis.source is None:
        return ""
    try:
        pixels = photo_pixels(analysis.source, analysis.photo)
    except UnreadablePhotoError as error:
        return f"<p>{escape(str(error))}</p>"
    picture = annotate(pixels, analysis)
    picture.thumbnail((_LONGEST_PX, _LONGEST_PX))
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=90, subsampling=0)  # thin lines keep their colour
    name = escape(f"{analysis.photo} with its faces marked")
    data = b64encode(encoded.getvalue()).decode()
    return f'<img alt="{name}" style="max-width: 100%" src="data:image/jpeg;base64,{data}">'


def _row(face: "Face") -> str:
    tasks = [f"{max(c, key=c.__getitem__)} {max(c.values()):.1%}" for c in face.probabilities.values()]
    box = " ".join(f"{value:.0f}" for value in face.box)
    cells = (", ".join(tasks), f"{face.confidence:.3f}", box, "chosen" if face.is_chosen else "")
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
