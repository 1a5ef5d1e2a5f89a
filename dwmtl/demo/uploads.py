"""What a browser sends, checked before it is held: sizes, forms, photos. Knows nothing of models."""

import base64
import binascii
from collections.abc import AsyncIterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from dwmtl.crops.photos import decode_photo
from dwmtl.errors import RequestError

MAX_PHOTOS_BYTES = 48 * 2**20
"""Of a request with photos, which base64 makes a third larger than their files."""
MAX_CLIP_BYTES = 128 * 2**20
MAX_PHOTO_PIXELS = 24_000_000
"""Of one photo: 72 MB as RGB, and four times that in the detector."""

Body = TypeVar("Body", bound=BaseModel)


async def json_body(request: Request, kind: type[Body]) -> Body:
    """A request's JSON as `kind`.

    Raises:
        RequestError: more than MAX_PHOTOS_BYTES, not declared as JSON, or of another form.
    """
    _require_type(request, "application/json")
    body = b"".join([chunk async for chunk in _chunks(request, MAX_PHOTOS_BYTES)])
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(map(str, wrong["loc"])) or "the request"
        raise RequestError(f"{place}: {wrong['msg']}.") from None


async def save_clip(request: Request, path: Path) -> None:
    """A request's body into a file, a piece at a time.

    Raises:
        RequestError: more than MAX_CLIP_BYTES, nothing, or not declared as bytes.
    """
    _require_type(request, "application/octet-stream")
    with path.open("wb") as file:
        async for chunk in _chunks(request, MAX_CLIP_BYTES):
            file.write(chunk)
        if not file.tell():
            raise RequestError("the clip is empty.")


def photo_of(text: str, name: str) -> np.ndarray:
    """A photo's pixels, (H, W, 3) uint8 RGB, of its file in base64; `name` stands for it in an error.

    Raises:
        RequestError: no base64. UnreadablePhotoError: no whole picture, or more than MAX_PHOTO_PIXELS.
    """
    try:
        picture = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(f"{name}: its file must come in base64.") from None
    return decode_photo(picture, name, max_pixels=MAX_PHOTO_PIXELS)


@contextmanager
def clip_file():
    """A path for a clip; whatever was written there is gone when the block ends."""
    with TemporaryDirectory(prefix="dwmtl-demo-") as folder:
        yield Path(folder) / "clip.webm"  # the ending is for us: OpenCV looks at what is in the file


async def _chunks(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    """The body in pieces; refused by the length that is declared, and once it is longer all the same."""
    too_large = RequestError(f"more than {max_bytes // 2**20} MiB. Take something smaller.")
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise too_large
    num_bytes = 0
    async for chunk in request.stream():
        num_bytes += len(chunk)
        if num_bytes > max_bytes:
            raise too_large
        yield chunk


def _require_type(request: Request, kind: str) -> None:
    """A page of another site may not send these types without being asked, so it cannot use the demo behind one's
    back."""
    if request.headers.get("content-type", "").split(";")[0].strip() != kind:
        raise RequestError(f"the request's content type must be {kind}.")
