"""The demo served as `dwmtl demo` serves it, by a thread of this process."""

import base64
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SURPRISE = "surprise"


@pytest.fixture(scope="session")
def serve() -> Callable:
    """`with serve(app) as address:`, an address such as http://127.0.0.1:41234."""
    from dwmtl.demo.server import make_server, open_port

    @contextmanager
    def serve(app) -> Iterator[str]:
        server = make_server(app)
        with open_port(0) as listening:
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            try:
                while not server.started:
                    time.sleep(0.01)
                yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            finally:
                server.should_exit = True
                thread.join()

    return serve


@pytest.fixture(scope="module")
def address(serve, model) -> Iterator[str]:
    """The demo of the known model; it always asks for surprise."""
    from dwmtl.demo.app import demo_app
    from dwmtl.demo.challenges import Challenges

    with serve(demo_app(model, source="known", challenges=Challenges(draw=lambda names: SURPRISE))) as address:
        yield address


@pytest.fixture(scope="session")
def ask() -> Callable[..., tuple[int, dict]]:
    """`ask(url, body)` posts JSON, or bytes as they are: the status and the answer; without a body it gets.

    It has a session, as a browser that opened the page.
    """

    def ask(url: str, body: object = None, **headers: str) -> tuple[int, dict]:
        is_bytes = isinstance(body, bytes)
        kind = "application/octet-stream" if is_bytes else "application/json"
        data = body if is_bytes or body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, data, {"Content-Type": kind, "Cookie": "dwmtl-session=s"} | named)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                text = error.read()
            return error.code, json.loads(text) if text.startswith(b"{") else {"error": text.decode()}

    return ask


@pytest.fixture(scope="session")
def in_base64() -> Callable[[Path], str]:
    """A file as the page sends it."""
    return lambda path: base64.b64encode(path.read_bytes()).decode()


@pytest.fixture(scope="session")
def clip(known, tmp_path_factory) -> Callable[..., Path]:
    """`clip("neutral", "surprise")`: a video of the first person's photos, each for nine frames."""
    import cv2

    def make(*expressions: str, person: str = "P001") -> Path:
        path = tmp_path_factory.mktemp("clip") / "clip.avi"
        pictures = [cv2.imread(str(known.photo(name, person))) for name in expressions]
        height, width, _ = pictures[0].shape
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (width, height))
        writer.set(cv2.VIDEOWRITER_PROP_QUALITY, 100)
        for picture in pictures:
            for _ in range(9):
                writer.write(picture)
        writer.release()
        return path

    return make
