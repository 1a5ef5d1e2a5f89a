"""Downloads a checkpoint from an address into a file."""

import re
from contextlib import closing
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import BaseHandler, HTTPRedirectHandler, ProxyHandler, Request, build_opener

from dwmtl.errors import ModelFileError
from dwmtl.progress import Progress

MAX_BYTES = 4 * 2**30
"""Largest file that is downloaded. An iresnet200 has 0.5 GB, AdaFace's checkpoint with its classifier 1.5 GB."""

_CHUNK_BYTES = 2**20
_TIMEOUT_S = 60
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
_ON_THE_HUB = re.compile(r"(?P<repo>\w[\w.-]*/\w[\w.-]*):(?P<file>\w[\w.-]*(/\w[\w.-]*)*)")


def address_of(source: str) -> str | None:
    """Address of an `https:` (or `http:`) source, or of Hugging Face's `org/repo:file`; None for other sources."""
    if source.startswith(("https://", "http://")):
        return source
    named = _ON_THE_HUB.fullmatch(source)
    if named is None:
        return None
    from huggingface_hub import hf_hub_url  # slow to import, and not needed for files

    return hf_hub_url(named["repo"], named["file"])


def download(address: str, folder: Path, *, max_bytes: int = MAX_BYTES) -> Path:
    """Download a file into a temporary folder, under its own name.

    Args:
        address: `https:`, or `http:` of this machine. A server may redirect to `https:`, and one of this machine to
            itself.
        max_bytes: longer files are refused.
    Raises:
        ModelFileError: the address is of another kind, the server does not answer, or the file is incomplete.
    """
    _require_safe(address)
    path = folder / (PurePosixPath(unquote(urlsplit(address).path)).name or "checkpoint")
    try:
        _stream(address, path, max_bytes)
    except (URLError, HTTPException, OSError) as error:
        if isinstance(error, HTTPError):
            error.close()  # it holds the server's response open
        raise ModelFileError(
            f"{address}: cannot be downloaded ({error}). Download it elsewhere and name the file."
        ) from None
    return path


class _SafeRedirects(HTTPRedirectHandler):
    def redirect_request(self, request, file, code, message, headers, new_address):
        with closing(file):  # the answer that sends on: nothing is read of it
            _require_safe(new_address, sent_from=request.full_url)
        return super().redirect_request(request, file, code, message, headers, new_address)


def _require_safe(address: str, *, sent_from: str | None = None) -> None:
    parts = urlsplit(address)
    is_here = all(urlsplit(each).hostname in _THIS_MACHINE for each in (address, sent_from or address))
    if not parts.hostname or parts.username or not (parts.scheme == "https" or (parts.scheme == "http" and is_here)):
        raise ModelFileError(
            f"{address}: not an https address without a user's name; a checkpoint is downloaded from no other."
        )


def _stream(address: str, path: Path, max_bytes: int) -> None:
    handlers: list[BaseHandler] = [_SafeRedirects()]
    if urlsplit(address).hostname in _THIS_MACHINE:
        handlers.append(ProxyHandler({}))
    request = Request(address, headers={"Accept-Encoding": "identity", "User-Agent": "dwmtl"})
    with build_opener(*handlers).open(request, timeout=_TIMEOUT_S) as answer, path.open("wb") as file:
        length = int(answer.headers.get("Content-Length") or 0)
        num_bytes = 0
        with Progress(total=length or None, desc=path.name, unit="B", unit_scale=True) as progress:
            while num_bytes <= max_bytes >= length and (chunk := answer.read(_CHUNK_BYTES)):
                file.write(chunk)
                num_bytes += len(chunk)
                progress.update(len(chunk))
    if max(length, num_bytes) > max_bytes:
        raise ModelFileError(f"{address}: more than {max_bytes} bytes; no checkpoint that dwmtl reads is that long.")
    if num_bytes < length:
        raise ModelFileError(f"{address}: the download ended after {num_bytes} of {length} bytes. Try again.")
