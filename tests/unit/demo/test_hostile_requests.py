"""What docs/demo.md states of other sites, slow clients, paths in requests, crashes and many clients."""

import base64
import contextlib
import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from dwmtl.demo.app import SESSION, demo_app

SOON_S = 30
"""Far above what a test takes, far below the limits that are not lowered in it."""


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://{host}", ""])
def test_a_page_of_another_site_is_refused(address, ask, in_base64, known, origin):
    origin = origin.format(host=address.removeprefix("http://"))
    for path, body in (("/api/photos", {"photos": [in_base64(known.photo("neutral"))]}), ("/api/model", None)):
        assert ask(address + path, body, Origin=origin) == (403, {"error": "Invalid origin"})
    assert ask(f"{address}/api/model", Origin=address)[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "127.0.0.2", "localhost.", "", "[::1]"])
def test_a_rebound_name_is_refused_even_where_its_origin_agrees(address, ask, host):
    port = address.rpartition(":")[2]
    assert ask(f"{address}/api/model", Host=f"{host}:{port}", Origin=f"http://{host}:{port}")[0] == 400


@contextmanager
def connected(address: str):
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=SOON_S) as connection:
        yield connection


def post(path: str, kind: str, more: str = "Content-Length: 1000000") -> bytes:
    """A request whose body is still to come."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {SESSION}=s\r\nContent-Type: {kind}\r\n{more}\r\n\r\n"
    return head.encode()


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("path", ["/api/photos", "/api/challenges"])
def test_what_a_form_can_send_is_refused_before_its_body(address, path, kind):
    with connected(address) as connection:
        connection.sendall(post(path, kind))
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 422")


def test_a_slow_body_is_cut_off_and_others_are_answered_meanwhile(address, ask, monkeypatch):
    monkeypatch.setattr("dwmtl.demo.uploads.UPLOAD_S", 1.0)
    with connected(address) as connection:
        connection.sendall(post("/api/photos", "application/json") + b'{"photos": [')
        assert ask(f"{address}/api/model")[0] == 200
        assert connection.recv(4096).startswith(b"HTTP/1.1 408")


def is_closed(connection: socket.socket) -> bool:
    """Reads until the server closes the connection; a timeout is an error."""
    try:
        while connection.recv(2**20):
            pass
    except ConnectionResetError:
        pass
    return True


WHOLE = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize("sent", [b"", WHOLE[:-2], WHOLE + b"GET"])
def test_a_connection_without_a_request_is_closed(address, monkeypatch, sent):
    monkeypatch.setattr("dwmtl.demo.server.IDLE_S", 1.0)
    with connected(address) as connection:
        connection.sendall(sent)
        assert is_closed(connection)


def test_a_request_without_end_loses_its_connection(address, monkeypatch):
    monkeypatch.setattr("dwmtl.demo.server.CONNECTION_S", 1.0)
    with connected(address) as connection:
        connection.sendall(post("/api/photos", "application/json"))
        assert is_closed(connection)


class SlowModel:
    """Answers when it may."""

    threshold = None
    expressions = ("happiness",)

    def __init__(self):
        self.may_answer = threading.Event()
        self.num_asked = 0

    def analyze(self, photos):
        self.num_asked += 1
        self.may_answer.wait(SOON_S)
        return [SimpleNamespace(as_json=lambda embeddings: {})]


def test_a_request_has_a_time_limit_and_the_page_answers_meanwhile(serve, ask, in_base64, known, monkeypatch):
    monkeypatch.setattr("dwmtl.demo.app.ANSWER_S", 1.0)
    slow, photo = SlowModel(), {"photos": [in_base64(known.photo("neutral"))]}
    with serve(demo_app(slow, source="slow")) as address, ThreadPoolExecutor(4) as clients:
        answers = [clients.submit(ask, f"{address}/api/photos", photo) for _ in range(4)]
        assert ask(f"{address}/api/model")[0] == 200
        for answer in answers:
            status, told = answer.result(SOON_S)
            assert (status, told["error"][:22]) == (503, "no result after 1 s. S")
        assert slow.num_asked == 2  # the other two were dropped, not begun
        slow.may_answer.set()
        assert ask(f"{address}/api/photos", photo) == (200, {"analyses": [{}], "verification": None, "sentence": None})


OPENED: list[str] | None = None
EVENTS = ("open", "os.listdir", "socket.connect", "socket.getaddrinfo", "subprocess.Popen")


def note(event: str, arguments: tuple) -> None:
    if OPENED is not None and event in EVENTS:
        OPENED.append(f"{event} {arguments}")


@pytest.fixture
def opened(monkeypatch):
    """What this process, the server's too, opens and connects to."""
    if OPENED is None:
        sys.addaudithook(note)  # cannot be removed
    monkeypatch.setitem(globals(), "OPENED", [])
    return OPENED


@pytest.fixture
def secret(tmp_path) -> Path:
    """A file; its name is base64, too."""
    (tmp_path / "secret0000").write_bytes(b"secret")
    return tmp_path / "secret0000"


def test_no_path_or_address_in_a_request_is_opened(address, ask, start_challenge, secret, opened):
    names = [str(secret), f"file://{secret}", "http://secret0000.example/a.jpg", f"{secret}|"]
    for name in names:
        for text in (name, base64.b64encode(name.encode()).decode()):
            assert ask(f"{address}/api/photos", {"photos": [text]})[0] == 422
            assert ask(f"{address}/api/challenges", {"reference": text, "by": "camera"})[0] == 422
        playlists = (
            f"#EXTM3U\n#EXTINF:1,\n{name}\n#EXT-X-ENDLIST\n",
            f"ffconcat version 1.0\nfile '{name}'\n",
            f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{name}"/></svg>',
            name,
        )
        for playlist in playlists:
            assert ask(f"{start_challenge('clip')}/clip", playlist.encode())[0] == 422
    for path in (
        f"/{secret}",
        f"/..{secret}",
        f"/%2e%2e{secret}",
        "//secret0000.example/a",
        f"/api/photos?file={secret}",
    ):
        assert ask(address + path)[0] in (404, 405)
    assert opened  # the hook works
    assert [event for event in opened if "secret0000" in event] == []


@pytest.fixture
def start_challenge(address, ask, in_base64, known):
    """Starts a challenge of the first person; its url."""

    def start(by: str) -> str:
        status, answer = ask(f"{address}/api/challenges", {"reference": in_base64(known.photo("neutral")), "by": by})
        assert status == 200
        return f"{address}/api/challenges/{answer['name']}"

    return start


def test_the_page_gives_a_session_once(address):
    with urllib.request.urlopen(address, timeout=SOON_S) as response:
        cookie = response.headers["Set-Cookie"]
    assert cookie.startswith(f"{SESSION}=")
    assert {"HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
    again = urllib.request.Request(address, headers={"Cookie": cookie.split(";")[0]})
    with urllib.request.urlopen(again, timeout=SOON_S) as response:
        assert response.headers["Set-Cookie"] is None


def test_a_challenge_is_of_its_session_and_answered_once(address, ask, start_challenge, in_base64, known, clip):
    frame = {"frame": in_base64(known.photo("neutral"))}
    url = start_challenge("camera")
    unknown = (422, {"error": "this challenge is not known any more. Start another."})
    assert ask(f"{url}/frames", frame, Cookie=f"{SESSION}=another") == unknown
    assert ask(f"{url}/frames", frame, Cookie="") == unknown
    assert ask(f"{url}/clip", clip("neutral", "surprise").read_bytes()) == unknown  # it is for a camera
    for expression in ("neutral", "neutral", "surprise", "surprise"):
        status, answer = ask(f"{url}/frames", {"frame": in_base64(known.photo(expression))})
    assert (status, answer["state"]) == (200, "accepted")
    assert ask(f"{url}/frames", frame) == unknown
    reference = {"reference": frame["frame"], "by": "camera"}
    assert ask(f"{address}/api/challenges", reference, Cookie="")[1]["error"].startswith("open the page first")


@pytest.fixture
def demo(known, tmp_path):
    """`dwmtl demo` as a process of its own, whose temporary files are in `tmp_path / "tmp"`."""
    (tmp_path / "tmp").mkdir()
    command = [sys.executable, "-m", "dwmtl", "demo", "--model", str(known.model), "--port", "0", "--threshold", "1"]
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        yield process, process.stdout.readline().split()[1]
        process.kill()


def files_of(process: subprocess.Popen) -> list[str]:
    """What a process has open: paths, ` (deleted)` after that of a file without a name."""
    files = []
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            files.append(os.readlink(link))
    return files


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="elsewhere the clip has a name until it is answered")
def test_after_a_crash_nothing_of_a_clip_is_on_the_disk(demo, ask, in_base64, known, tmp_path):
    process, address = demo
    photo = in_base64(known.photo("neutral"))
    _, answer = ask(f"{address}/api/challenges", {"reference": photo, "by": "clip"})
    with connected(address) as connection:
        kind = "application/octet-stream"
        connection.sendall(post(f"/api/challenges/{answer['name']}/clip", kind) + b"x" * 500_000)
        end_s = time.monotonic() + SOON_S
        # Not the file with a name by which Python first tries the folder, nor pytest's own, which the process inherits.
        while not [file for file in files_of(process) if re.match(rf"{tmp_path}/tmp/.* \(deleted\)", file)]:
            assert time.monotonic() < end_s  # the clip is being written
            time.sleep(0.05)
        assert [*(tmp_path / "tmp").iterdir()] == []
        process.kill()
        process.wait()
    assert [*(tmp_path / "tmp").iterdir()] == []


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc")
def test_200_requests_of_8_clients_leave_no_more_memory_in_use(demo, in_base64, known):
    process, address = demo
    body = b'{"photos": ["%s"]}' % in_base64(known.photo("happiness")).encode()

    def ask_often(number: int) -> set[int]:
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=120)
        statuses = set()
        for _ in range(number):
            connection.request("POST", "/api/photos", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            statuses.add(response.status)
        connection.close()
        return statuses

    def memory_mb() -> float:
        (line,) = (line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "VmRSS" in line)
        return int(line.split()[1]) / 1000

    with ThreadPoolExecutor(8) as clients:
        assert set.union(*clients.map(ask_often, [13] * 8)) == {200}  # buffers of their final size
        before_mb = memory_mb()
        assert set.union(*clients.map(ask_often, [13] * 8)) == {200}
    growth_mb = memory_mb() - before_mb
    print(f"{before_mb:.0f} MB, after 104 more requests {growth_mb:+.1f} MB")
    assert growth_mb < 40  # a photo's pixels and answers are 0.6 MB: a request that kept them would add 60 MB
