"""docs/demo.md is true: its commands open the page, and its numbers are those of the code."""

import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from dwmtl.demo import app, server, uploads

PAGE = (Path(__file__).resolve().parents[3] / "docs/demo.md").read_text()
COMMANDS = re.search(r"```bash\n(.*?)```", PAGE, flags=re.DOTALL)[1].splitlines()


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_page_opens_it(line, known, tmp_path):
    shutil.copytree(known.model, tmp_path / "data/models/fold_0")
    arguments = [sys.executable, "-m", *shlex.split(line), "--port", "0"]  # of an option given twice the last holds
    with subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as demo:
        address = demo.stdout.readline().split()[1]
        with urllib.request.urlopen(address, timeout=60) as response:
            assert "Who a face is" in response.read().decode()
        demo.terminate()
        demo.wait(timeout=60)
    assert address.startswith("http://127.0.0.1:")


def test_the_limits_that_the_page_names_are_those_of_the_code():
    for text in (
        f"{uploads.MAX_PHOTOS_BYTES // 2**20} MiB with photos",
        f"a photo of more than {uploads.MAX_PHOTO_PIXELS // 10**6} million pixels",
        f"a clip of more than {uploads.MAX_CLIP_BYTES // 2**20} MiB or {app.MAX_CLIP_FRAMES * app.CLIP_EVERY} frames",
        f"closed after {server.IDLE_S:g} s, an upload ends after {uploads.UPLOAD_S:g} s",
        f"any request after {server.CONNECTION_S:g} s. More than {server.MAX_CONNECTIONS} connections",
        f"an error after {app.ANSWER_S:g} s",
        "two frames in a row, within 30 seconds",
    ):
        assert text in " ".join(PAGE.split()), text
    assert app.MIN_FRAMES == app.AT_ONCE == 2
    assert app.demo_app.__kwdefaults__ == {"challenges": None, "camera_s": 30.0, "clip_s": 300.0}
