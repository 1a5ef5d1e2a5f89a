"""Weights of timm: from a file of safetensors, and by timm's own download from a server on 127.0.0.1."""

import hashlib
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from dwmtl.errors import ModelFileError, ParamsError
from dwmtl.network.export_checkpoint import export_checkpoint
from dwmtl.network.import_checkpoint import import_checkpoint
from dwmtl.network.model_file import load_model, save_model
from dwmtl.network.params import MeanStd
from dwmtl.network.published import ExpectedInput
from dwmtl.network.timm_trunk import TimmTrunk, fill_pretrained

SAID = ExpectedInput(crop_px=112)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """What timm publishes of a resnet18: the whole model, with its classifier."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("timm") / "model.safetensors"
    save_file(timm.create_model("resnet18", pretrained=False).state_dict(), path)
    return path


def test_timms_weights_give_timms_feature_maps_on_crops_of_its_mean_and_deviation(file):
    imported = import_checkpoint(str(file), trunk="timm:resnet18", overrides=SAID)
    whole = timm.create_model("resnet18", pretrained=False)
    whole.load_state_dict(load_file(file))
    crops = torch.randint(0, 256, (2, 3, 112, 112), dtype=torch.uint8)
    mean, std = (torch.tensor(values)[:, None, None] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        expected = whole.eval().forward_features((crops.double() / 255 - mean).float() / std)
        features = imported.network(imported.network.standardize(crops)).shared_features
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-4)
    assert imported.skipped == ["fc.bias", "fc.weight"]
    assert all(name.startswith(("heads.", "branches.")) for name in imported.initial)


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_050", "convnext_atto"])
def test_a_trunk_of_timm_goes_back_to_the_byte(name, tmp_path):
    torch.manual_seed(2)
    theirs = timm.create_model(name, pretrained=False).state_dict()
    save_file(theirs, tmp_path / "model.safetensors")
    imported = import_checkpoint(str(tmp_path / "model.safetensors"), trunk=f"timm:{name}", overrides=SAID)
    save_model(imported.network, imported.card, tmp_path / "model")
    export_checkpoint(tmp_path / "model", tmp_path / "back.safetensors")
    back = load_file(tmp_path / "back.safetensors")
    assert set(back) == set(imported.matched)
    assert all(torch.equal(back[entry], theirs[entry]) for entry in back)


def test_a_size_that_is_not_said_is_timms(file):
    assert import_checkpoint(str(file), trunk="timm:resnet18").card.crop_px == 224


@pytest.mark.parametrize(
    ("trunk", "message"),
    [
        ("timm:resnet34", r"it does not fit timm:resnet34: it has no trunk\.backbone\.layer1\.2\.conv1\.weight"),
        ("timm:nobody", "timm makes no feature maps of it"),
        ("iresnet18", "only trunks of timm are named"),
        (None, "For a backbone of timm give --trunk"),
    ],
)
def test_a_trunk_that_the_file_is_not_of_is_told(file, trunk, message):
    with pytest.raises(ModelFileError, match=message):
        import_checkpoint(str(file), trunk=trunk, overrides=SAID)


def test_published_weights_need_the_standardisation_they_were_trained_with():
    with pytest.raises(ParamsError, match=r"standardization to \{mean: \[0\.485, 0\.456, 0\.406\], std: \[0\.229"):
        fill_pretrained(TimmTrunk("resnet18"), MeanStd(mean=[0.5] * 3, std=[0.5] * 3))


class Hub(http.server.BaseHTTPRequestHandler):
    """Hugging Face's answers about one file; without it, about none."""

    content = b""

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        is_there = bool(self.content) and self.path.startswith("/timm/resnet18.a1_in1k/resolve/main/model.safetensors")
        self.send_response(200 if is_there else 404)
        self.send_header("Content-Length", str(len(self.content) if is_there else 0))
        self.send_header("ETag", f'"{hashlib.sha256(self.content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "a" * 40)
        self.end_headers()
        return is_there

    def do_GET(self):
        if self.do_HEAD():
            self.wfile.write(self.content)


PRETRAINED = """
import sys
from safetensors.torch import save_file
from dwmtl.errors import ModelFileError
from dwmtl.network.timm_trunk import TimmTrunk, fill_pretrained
trunk = TimmTrunk("resnet18")
try:
    fill_pretrained(trunk, trunk.expected_standardization())
except ModelFileError as error:
    sys.exit(str(error))
names = trunk.names_in_timm()
save_file({names[name]: value for name, value in trunk.state_dict().items()}, sys.argv[1])
"""


def pretrained(out, **environment: str) -> subprocess.CompletedProcess:
    """Fill a trunk in a process of its own: huggingface_hub reads its environment when it is imported."""
    return subprocess.run(
        [sys.executable, "-c", PRETRAINED, str(out)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"HF_HOME": str(out.parent / "cache"), **environment},
    )


@contextmanager
def served(content: bytes) -> Iterator[str]:
    """Address of a hub on this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Hub", (Hub,), {"content": content})) as hub:
        thread = threading.Thread(target=hub.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{hub.server_port}"
        hub.shutdown()
        thread.join()


def test_pretrained_fills_the_trunk_with_what_timm_downloads(file, tmp_path):
    with served(file.read_bytes()) as address:
        done = pretrained(tmp_path / "w.safetensors", HF_ENDPOINT=address)
    assert done.returncode == 0, done.stderr
    filled, theirs = load_file(tmp_path / "w.safetensors"), load_file(file)
    assert len(filled) == 120
    assert all(torch.equal(value, theirs[name]) for name, value in filled.items())


def test_weights_that_cannot_be_downloaded_are_told_in_one_line(tmp_path):
    with served(b"") as address:  # a hub that is not reached is asked five times, in half a minute
        done = pretrained(tmp_path / "w.safetensors", HF_ENDPOINT=address)
    assert done.returncode == 1
    assert "timm:resnet18: timm could not get its weights" in done.stderr.splitlines()[-1]


def test_a_model_that_started_from_published_weights_is_loaded_without_a_download(file, tmp_path):
    imported = import_checkpoint(str(file), trunk="timm:resnet18", overrides=SAID)
    network = imported.card.network.model_copy(update={"pretrained": True})
    save_model(imported.network, imported.card.model_copy(update={"network": network}), tmp_path / "model")
    loaded, card = load_model(tmp_path / "model")
    assert card.network.pretrained
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), imported.network.parameters(), strict=True))
