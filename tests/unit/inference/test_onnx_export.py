import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dwmtl.errors import DwmtlError, ModelFileError
from dwmtl.inference import onnx_export
from dwmtl.inference.crop_answers import CropAnswers
from dwmtl.network.imported import new_card
from dwmtl.network.model_card import TaskCard, build_network
from dwmtl.network.model_file import load_model, save_model
from dwmtl.network.params import LinearHeadParams
from dwmtl.network.published import project_of
from dwmtl.section import crop_size

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def exported(known, tmp_path_factory) -> onnx_export.OnnxModel:
    return onnx_export.export_onnx(known.model, tmp_path_factory.mktemp("onnx") / "model.onnx")


def session(exported):
    return runtime.InferenceSession(str(exported.path), providers=["CPUExecutionProvider"])


def test_onnx_and_pytorch_agree_on_32_crops(known, exported):
    """On crops that the export's own check did not use."""
    network, card = load_model(known.model)
    crops = np.random.default_rng(7).integers(0, 256, (32, card.crop_px, card.crop_px, 3), dtype=np.uint8)
    crops[::2] //= 4  # dark ones, too
    with torch.inference_mode():
        ours = CropAnswers(network)(torch.from_numpy(crops))
    theirs = session(exported).run(None, {"crops": crops})
    assert exported.outputs == ("embedding", "expression", "glasses", "units", "age")
    assert exported.largest_difference < 1e-4
    for a, b, unit in zip(ours, theirs, (1, 1, 1, 1, 50), strict=True):
        np.testing.assert_allclose(b, a.numpy(), atol=1e-4 * unit)


@pytest.mark.parametrize("num_crops", [1, 3])
def test_a_batch_may_have_any_size(exported, num_crops):
    answers = session(exported).run(None, {"crops": np.zeros((num_crops, 80, 80, 3), np.uint8)})
    assert [values.shape for values in answers] == [(num_crops, width) for width in (2, 3, 2, 2, 1)]
    np.testing.assert_allclose(answers[1].sum(axis=1), 1, atol=1e-6)


def test_the_file_stands_alone_with_its_card_and_no_path_of_this_machine(known, exported):
    content = exported.path.read_bytes()
    assert [path.name for path in exported.path.parent.iterdir()] == ["model.onnx"]
    assert str(Path(onnx_export.__file__).parents[2]).encode() not in content
    assert b"site-packages" not in content
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model)
    assert {item.domain: item.version for item in model.opset_import} == {"": onnx_export.OPSET}
    card = json.loads({item.key: item.value for item in model.metadata_props}["dwmtl_model_card"])
    assert card == json.loads((known.model / "model.json").read_text())


def test_a_graph_that_answers_otherwise_is_not_kept(known, exported, tmp_path, monkeypatch):
    graph = onnx.load(exported.path)
    weights = next(tensor for tensor in graph.graph.initializer if len(tensor.dims) > 1 and tensor.raw_data)
    weights.raw_data = bytes(len(weights.raw_data))
    monkeypatch.setattr(onnx_export, "_graph", lambda *_: graph)  # to make it is the work of seconds
    with pytest.raises(DwmtlError, match=r"model\.onnx: ONNX and PyTorch differ by .* on 32 crops; not written"):
        onnx_export.export_onnx(known.model, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_model_is_told(tmp_path):
    with pytest.raises(ModelFileError, match=r"model\.json: no such file"):
        onnx_export.export_onnx(tmp_path, tmp_path / "model.onnx")


@pytest.mark.parametrize("trunk", ["mobilefacenet", "adaface_ir_18"])
def test_another_projects_network_takes_rgb_crops_of_its_size(trunk, tmp_path):
    """The graph turns the channels where the network takes BGR, and standardises by its own rule."""
    expects = project_of(trunk).expects
    card = new_card(
        expects,
        trunk=trunk,
        bottleneck=None,
        dropout=0.0,
        batch_norm_momentum=0.1,
        tasks={"identity": TaskCard(head=LinearHeadParams(name="linear", relu_on_logits=False), classes=["a"])},
        provenance={},
    )
    torch.manual_seed(0)
    network = build_network(card).eval()
    save_model(network, card, tmp_path / "model")
    exported = onnx_export.export_onnx(tmp_path / "model", tmp_path / "model.onnx")
    crops = np.random.default_rng(1).integers(0, 256, (2, *crop_size(card.crop_px), 3), dtype=np.uint8)
    (embedding,) = session(exported).run(None, {"crops": crops})
    inputs = crops[..., ::-1] if trunk.startswith("adaface") else crops
    inputs = (inputs.astype(np.float32) - 127.5) / (127.5 if trunk.startswith("adaface") else 128)
    with torch.no_grad():
        expected = network(torch.from_numpy(np.ascontiguousarray(inputs.transpose(0, 3, 1, 2)))).embedding
    np.testing.assert_allclose(embedding, expected.numpy(), atol=1e-4)
