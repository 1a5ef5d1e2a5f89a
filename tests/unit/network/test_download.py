"""Checkpoints from addresses, against a server on 127.0.0.1."""

import hashlib
import http.server
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from dwmtl.errors import ModelFileError
from dwmtl.network.download import _require_safe, address_of, download
from dwmtl.network.import_checkpoint import import_checkpoint
from dwmtl.network.model_file import load_card
from dwmtl.network.params import LinearHeadParams

LONG = 2**20


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` by their paths, and a few answers that no good server gives."""

    files: dict[str, bytes]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        content = self.server.files.get(self.path.partition("?")[0])
        if self.path == "/away":
            self._begin(302, {"Location": "http://198.51.100.1/weights.ckpt"})
        elif self.path == "/elsewhere":
            self._begin(302, {"Location": "/weights.ckpt"})
        elif self.path == "/cut.ckpt":
            self._begin(200, {"Content-Length": "1000"})
            self.wfile.write(b"x" * 400)
        elif self.path == "/huge.ckpt":
            self._begin(200, {"Content-Length": str(5 * 2**30)})
        elif self.path == "/endless.ckpt":
            self._begin(200, {})
            self.wfile.write(b"x" * (3 * LONG))
        elif content is None:
            self._begin(404, {"Content-Length": "0"})
        else:
            self._begin(200, {"Content-Length": str(len(content))})
            self.wfile.write(content)

    def _begin(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> bytes:
    """A file of MobileFaceNet's form."""
    from dwmtl.network.network import FaceNetwork
    from dwmtl.network.params import NetworkParams
    from dwmtl.network.published import published_names

    params = NetworkParams(
        trunk="mobilefacenet",
        bottleneck=None,
        standardization="fixed",
        dropout=0.0,
        batch_norm_momentum=0.1,
        linear_sigma=0.02,
    )
    network = FaceNetwork(params, {"identity": LinearHeadParams(name="linear", relu_on_logits=False)}, {"identity": 2})
    ours = network.state_dict()
    entries = {theirs: ours[name] for name, theirs in published_names(network, "mobilefacenet").items()}
    path = tmp_path_factory.mktemp("published") / "weights.ckpt"
    torch.save({"net_state_dict": entries}, path)
    return path.read_bytes()


@pytest.fixture
def server(checkpoint):
    started = Server(("127.0.0.1", 0), Answers)
    started.files = {"/weights.ckpt": checkpoint, "/org/faces/resolve/main/sub/weights.ckpt": checkpoint}
    thread = threading.Thread(target=started.serve_forever)
    thread.start()
    yield started
    started.shutdown()
    started.server_close()
    thread.join()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_an_address_is_imported_with_its_digest(server, checkpoint):
    address = f"{server.address}/weights.ckpt"
    imported = import_checkpoint(f"{address}?token=secret", sha256=sha256(checkpoint).upper())
    assert imported.card.network.trunk == "mobilefacenet"
    assert imported.card.provenance["files"] == {"weights.ckpt": sha256(checkpoint)}
    assert imported.card.provenance["address"] == address


def test_a_redirect_on_this_machine_is_followed(server, checkpoint, tmp_path):
    path = download(f"{server.address}/elsewhere", tmp_path)
    assert path.read_bytes() == checkpoint


def test_an_address_needs_a_digest_and_another_files_is_refused(server):
    with pytest.raises(ModelFileError, match=r"give the file's SHA-256 .* --sha256"):
        import_checkpoint(f"{server.address}/weights.ckpt")
    with pytest.raises(ModelFileError, match=r"weights\.ckpt: its SHA-256 is \w{64}, not 00\."):
        import_checkpoint(f"{server.address}/weights.ckpt", sha256="00")


def test_a_local_files_digest_is_checked_too(checkpoint, tmp_path):
    (tmp_path / "weights.ckpt").write_bytes(checkpoint)
    assert import_checkpoint(str(tmp_path / "weights.ckpt"), sha256=sha256(checkpoint)).matched
    with pytest.raises(ModelFileError, match="Do not use the file"):
        import_checkpoint(str(tmp_path / "weights.ckpt"), sha256="0" * 64)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/cut.ckpt", "the download ended after 400 of 1000 bytes"),
        ("/nothing.ckpt", "cannot be downloaded .*404"),
        ("/huge.ckpt", "more than 4294967296 bytes"),
        ("/away", r"http://198\.51\.100\.1/weights\.ckpt: not an https address"),
    ],
)
def test_a_server_that_does_not_give_the_file_is_one_line_of_error(server, path, message):
    with pytest.raises(ModelFileError, match=message) as caught:
        import_checkpoint(f"{server.address}{path}", sha256="0" * 64)
    assert "\n" not in str(caught.value)


def test_a_file_whose_length_nobody_says_is_cut_off_at_the_limit(server, tmp_path):
    with pytest.raises(ModelFileError, match=f"more than {LONG} bytes"):
        download(f"{server.address}/endless.ckpt", tmp_path, max_bytes=LONG)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2 * LONG


def test_a_server_that_is_not_there_is_one_line_of_error(tmp_path):
    with pytest.raises(ModelFileError, match=r"127\.0\.0\.1:9/w\.pt: cannot be downloaded"):
        download("http://127.0.0.1:9/w.pt", tmp_path)


@pytest.mark.parametrize("address", ["http://example.org/w.pt", "https://me:secret@example.org/w.pt", "https:///w.pt"])
def test_no_other_address_is_asked(address, tmp_path):
    with pytest.raises(ModelFileError, match="not an https address"):
        download(address, tmp_path)


def test_a_server_elsewhere_sends_nobody_to_this_machine():
    _require_safe("http://127.0.0.1/w.pt", sent_from="http://localhost/w.pt")
    _require_safe("https://cdn.example.org/w.pt", sent_from="https://example.org/w.pt")
    with pytest.raises(ModelFileError, match="not an https address"):
        _require_safe("http://127.0.0.1/w.pt", sent_from="https://example.org/w.pt")


@pytest.mark.parametrize("source", ["w.pt", "folder/w.pt", "/a/b:c", "a/b/c:d", "a/b:../../c", "C:\\w.pt"])
def test_what_is_no_address_is_a_file(source):
    assert address_of(source) is None


def test_a_file_on_hugging_face_is_found_by_its_repository(server, checkpoint, tmp_path):
    command = [
        sys.executable,
        "-m",
        "dwmtl",
        "import-checkpoint",
        "org/faces:sub/weights.ckpt",
        "--out",
        tmp_path / "m",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"HF_ENDPOINT": server.address}
    )
    assert done.returncode == 0, done.stderr
    provenance = load_card(Path(tmp_path / "m")).provenance
    assert provenance["files"] == {"weights.ckpt": sha256(checkpoint)}
    assert provenance["address"] == f"{server.address}/org/faces/resolve/main/sub/weights.ckpt"
