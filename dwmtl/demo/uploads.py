"""Uploads, checked while they are read: size, time, content type, form, photos. Knows nothing of models."""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import BinaryIO, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from dwmtl.crops.photos import decode_photo
from dwmtl.errors import RequestError

MAX_PHOTOS_BYTES = 48 * 2**20
"""Limit of a request with photos, which base64 makes a third larger than their files."""
MAX_CLIP_BYTES = 128 * 2**20
UPLOAD_S = 60.0
"""Time for a request's body to arrive."""
OPEN_FILES = Path("/proc/self/fd")
"""Links to this process' open files, on Linux."""
MAX_PHOTO_PIXELS = 24_000_000
"""Limit of a photo: 72 MB as RGB, and four times that in the detector."""

Body = TypeVar("Body", bound=BaseModel)


async def json_body(request: Request, kind: type[Body]) -> Body:
    """Parse a request's JSON as `kind`.

    Raises:
        RequestError: it is longer than MAX_PHOTOS_BYTES, slower than UPLOAD_S, not declared as JSON, or has another
            form.
    """
    _require_type(request, "application/json")
    async with _in_time():
        body = b"".join([chunk async for chunk in _chunks(request, MAX_PHOTOS_BYTES)])
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(map(str, wrong["loc"])) or "the request"
        raise RequestError(f"{place}: {wrong['msg']}.") from None


async def save_clip(request: Request, file: BinaryIO) -> None:
    """Stream a request's body into a file.

    Raises:
        RequestError: it is longer than MAX_CLIP_BYTES, slower than UPLOAD_S, empty, or not declared as bytes.
    """
    _require_type(request, "application/octet-stream")
    async with _in_time():
        async for chunk in _chunks(request, MAX_CLIP_BYTES):
            file.write(chunk)
    if not file.tell():
        raise RequestError("the clip is empty.")
    file.flush()


def photo_of(text: str, name: str) -> np.ndarray:
    """Decode a photo's file in base64: (H, W, 3) uint8 RGB. Errors call the photo `name`.

    Raises:
        RequestError: not base64. UnreadablePhotoError: not a whole picture, or more than MAX_PHOTO_PIXELS.
    """
    try:
        picture = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(f"{name}: its file must be encoded in base64.") from None
    return decode_photo(picture, name, max_pixels=MAX_PHOTO_PIXELS)


@contextmanager
def clip_file() -> Iterator[tuple[BinaryIO, Path]]:
    """An empty file for a clip, and a path that opens it. The clip is gone when the block ends.

    On Linux the file has no name on the disk, so that the clip is gone, too, when this process is killed.
    """
    if OPEN_FILES.is_dir():
        with TemporaryFile(prefix="dwmtl-demo-") as file:
            yield file, OPEN_FILES / str(file.fileno())
        return
    with TemporaryDirectory(prefix="dwmtl-demo-") as folder:
        path = Path(folder) / "clip"
        with path.open("xb") as file:
            yield file, path


@asynccontextmanager
async def _in_time():
    try:
        async with asyncio.timeout(UPLOAD_S):
            yield
    except TimeoutError:
        raise RequestError(f"the upload takes more than {UPLOAD_S:g} s. Take something smaller.", status=408) from None


async def _chunks(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    """The body in pieces; refused if its declared length, or what is received, is too large."""
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
    """Refuse other content types.

    A browser lets a page of another site send these types only after a preflight request, which the demo does not
    answer.
    """
    if request.headers.get("content-type", "").split(";")[0].strip() != kind:
        raise RequestError(f"the request's content type must be {kind}.")
