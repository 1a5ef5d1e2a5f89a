"""The networks of arcface_torch, AdaFace and MobileFaceNet, imported by the project's command, against recorded
outputs.

Reads `golden/trunks` and `real/mobilefacenet` of the test data; the README in `golden/trunks` gives the rule by which
the networks were filled.
"""

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dwmtl.crops.photos import read_photo
from dwmtl.inference.crop_answers import CropAnswers
from dwmtl.inference.model import load_model as model_in_use
from dwmtl.network.model_file import load_model
from dwmtl.network.network import IDENTITY

pytestmark = pytest.mark.slow

TRUNKS = ["iresnet18", "iresnet50", "iresnet100", "mbf", "adaface_ir_18", "adaface_ir_50"]


def filled_by_the_rule(shapes: dict[str, list[int]], prelu: list[str]) -> dict[str, torch.Tensor]:
    weights = {}
    for name, shape in shapes.items():
        value = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
        if name.endswith("num_batches_tracked"):
            weights[name] = torch.zeros(shape, dtype=torch.int64)
            continue
        if name.endswith("running_var"):
            value = 1 + 0.1 * np.abs(value)
        elif name.endswith("running_mean") or (len(shape) < 2 and name.endswith("bias")):
            value = 0.1 * value
        elif len(shape) >= 2:
            value = value * np.sqrt(2 / np.prod(shape[1:]))
        elif name in prelu:
            value = 0.25 + 0.02 * value
        else:
            value = 1 + 0.1 * value
        weights[name] = torch.from_numpy(np.asarray(value, dtype=np.float32))
    return weights


@pytest.fixture
def dwmtl(dwmtl) -> Callable[..., None]:
    """Runs `dwmtl ...`, which must succeed."""

    def run(*arguments: object) -> None:
        done = dwmtl(*arguments)
        assert done.returncode == 0, done.stderr

    return run


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def assert_same_tensors(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert set(ours) == set(theirs)
    for name, value in theirs.items():
        assert ours[name].dtype == value.dtype
        assert torch.equal(ours[name], value), name


@pytest.fixture(scope="module")
def golden(testdata) -> Path:
    folder = testdata / "golden" / "trunks"
    return folder if folder.is_dir() else pytest.skip(f"{folder}: no such folder")


@pytest.fixture(scope="module")
def mobilefacenet(testdata) -> Path:
    folder = testdata / "real" / "mobilefacenet"
    return folder if folder.is_dir() else pytest.skip(f"{folder}: no such folder")


@pytest.mark.parametrize("trunk", TRUNKS)
def test_a_network_in_its_projects_form_gives_the_recorded_embeddings_and_goes_back_to_the_byte(
    dwmtl, golden, tmp_path, trunk
):
    weights = filled_by_the_rule(**json.loads((golden / f"{trunk}.json").read_text()))
    is_adaface = trunk.startswith("adaface")
    file = tmp_path / ("model.ckpt" if is_adaface else "backbone.pth")
    named = {f"model.{name}": value for name, value in weights.items()} | {"head.kernel": torch.ones(512, 9)}
    torch.save({"epoch": 25, "state_dict": named, "hyper_parameters": {"lr": 0.1}} if is_adaface else weights, file)
    dwmtl("import-checkpoint", file, "--out", tmp_path / "model")

    network, card = load_model(tmp_path / "model")
    assert card.network.trunk == trunk
    assert card.network.channel_order == ("bgr" if is_adaface else "rgb")
    with torch.no_grad():
        output = network(torch.from_numpy(np.load(golden / "images.npy")))
    recorded = np.load(golden / f"{trunk}.npz")
    assert np.abs(output.embedding.numpy() - unit(recorded["embedding"])).max() < 1e-4
    if is_adaface:
        length = output.vectors[IDENTITY].norm(dim=1, keepdim=True).numpy()
        np.testing.assert_allclose(length, recorded["norm"], rtol=1e-4)

    dwmtl("export-checkpoint", tmp_path / "model", "--out", tmp_path / "back.pt")
    back = torch.load(tmp_path / "back.pt", weights_only=True)
    del named["head.kernel"]  # a classifier of its training's people: it is no part of the network
    assert_same_tensors(back["state_dict"] if is_adaface else back, named if is_adaface else weights)


def test_mobilefacenets_real_weights_give_the_recorded_embeddings_and_go_back_to_the_byte(
    dwmtl, mobilefacenet, tmp_path
):
    file = mobilefacenet / "mobilefacenet_casia.ckpt"
    dwmtl("import-checkpoint", file, "--out", tmp_path / "model")
    network, card = load_model(tmp_path / "model")
    recorded = np.load(mobilefacenet / "golden.npz")
    assert card.crop_px == [112, 96]
    with torch.no_grad():
        embeddings, *_ = CropAnswers(network)(torch.from_numpy(recorded["crops_rgb_112x96"]))
    assert np.abs(embeddings.numpy() - recorded["embeddings"]).max() < 1e-5

    dwmtl("export-checkpoint", tmp_path / "model", "--out", tmp_path / "back.ckpt")
    back = torch.load(tmp_path / "back.ckpt", weights_only=True)["net_state_dict"]
    assert_same_tensors(back, torch.load(file, map_location="cpu", weights_only=True)["net_state_dict"])


def test_photos_give_mobilefacenet_the_recorded_crops(dwmtl, mobilefacenet, testdata, tmp_path):
    """The crops were cut out of these photos of LFW by the same rule; a pixel may differ by 1, as the detector's last
    digits depend on the processor and on how many photos it sees together."""
    dwmtl("import-checkpoint", mobilefacenet / "mobilefacenet_casia.ckpt", "--out", tmp_path / "model")
    model = model_in_use(tmp_path / "model", device="cpu")
    recorded = np.load(mobilefacenet / "golden.npz")
    photos = ["Abel_Pacheco/Abel_Pacheco_0001.jpg", "Abel_Pacheco/Abel_Pacheco_0004.jpg"]
    photos += ["Akhmed_Zakayev/Akhmed_Zakayev_0001.jpg", "Akhmed_Zakayev/Akhmed_Zakayev_0003.jpg"]
    for photo, embedding in zip(photos, recorded["embeddings"], strict=True):
        face = model.analyze(read_photo(testdata / "real" / "lfw" / photo), faces="chosen").chosen
        assert np.abs(face.embedding - embedding).max() < 2e-3
