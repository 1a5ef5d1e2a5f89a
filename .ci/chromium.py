"""A headless Chromium for tests and pictures: found, started, or driven by its DevTools protocol over two pipes."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from base64 import b64decode
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = f"none of {', '.join(NAMES)} is on the PATH"


def find() -> str | None:
    """The browser's program, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def headless(program: str, profile: Path | str, *options: str) -> list[str]:
    """The command that starts a browser without a window, which reaches 127.0.0.1 and nobody else."""
    return [
        program,
        "--headless",
        "--disable-gpu",
        "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={profile}",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),  # Chromium has no sandbox for root
        *options,
    ]


class Chromium:
    """A page in a headless browser: no driver and no open port. Close it by leaving the block.

    Attributes:
        requested: addresses that the page asked for, blobs and data apart.
    """

    def __init__(self, program: str, *options: str):
        self.requested: list[str] = []
        self.errors: list[str] = []
        self._number = 0
        self._buffer = b""
        self._folder = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        to_browser, self._commands = os.pipe()
        self._answers, from_browser = os.pipe()
        command = headless(program, self._folder.name, "--remote-debugging-pipe", *options)
        # its pipes are descriptors 3 and 4
        wired = ["bash", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "chromium", *command]
        self._process = subprocess.Popen(wired, pass_fds=(to_browser, from_browser), stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self._session: str | None = None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "DOM", "Log"):
            self.send(f"{domain}.enable")

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(self, *error: object) -> None:
        self._session = None
        self.send("Browser.close")
        self._process.wait(timeout=60)
        os.close(self._commands)
        os.close(self._answers)
        self._folder.cleanup()

    def send(self, method: str, **params: object) -> dict:
        """Send a command and wait for its answer; what happens meanwhile is noted."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)

    def open(self, address: str) -> None:
        self.send("Page.navigate", url=address)
        self.wait("document.readyState == 'complete'")

    def value(self, expression: str) -> object:
        """The value of an expression in JavaScript."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, expression: str, *, limit_s: float = 60) -> object:
        """The value of an expression, once it is neither false nor empty; of an element True."""
        end = time.monotonic() + limit_s
        while not (value := self.value(f"(value => value instanceof Node || value)({expression})")):
            assert time.monotonic() < end, f"{expression} never held; the page: {self.value('document.body.innerText')}"
            time.sleep(0.05)
        return value

    def give_file(self, selector: str, path: Path) -> None:
        """Choose a file in an input, as a person does."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def look(self, *, width_px: int, height_px: int, is_dark: bool = False) -> None:
        """The size of the window, and the reader's scheme."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width_px, height=height_px, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self) -> bytes:
        """The whole page as PNG."""
        return b64decode(self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"])

    def _next(self) -> dict:
        while b"\0" not in self._buffer:
            piece = os.read(self._answers, 2**20)
            assert piece, "the browser is gone"
            self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict) -> None:
        params = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            url = params["request"]["url"]
            self.requested += [] if re.match("blob:|data:", url) else [url]
        elif event.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])
        elif event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"]))
