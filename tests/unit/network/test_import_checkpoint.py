from urllib.error import URLError

import pytest
import torch
from facenet_pytorch import InceptionResnetV1

from dwmtl.errors import ModelFileError
from dwmtl.network.export_checkpoint import export_checkpoint
from dwmtl.network.import_checkpoint import import_checkpoint
from dwmtl.network.model_card import ModelCard, TaskCard, build_network
from dwmtl.network.model_file import save_model
from dwmtl.network.published import ExpectedInput
from dwmtl.params import load_params


@pytest.fixture(scope="module")
def theirs() -> InceptionResnetV1:
    """facenet-pytorch's network with random weights, and statistics that are no identity."""
    torch.manual_seed(0)
    network = InceptionResnetV1(classify=True, num_classes=3).eval()
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            module.running_mean.normal_(std=0.1, generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
            module.weight.data.uniform_(0.5, 2.0, generator=generator)
            module.bias.data.normal_(std=0.1, generator=generator)
    return network


@pytest.fixture(scope="module")
def file(theirs, tmp_path_factory):
    path = tmp_path_factory.mktemp("facenet") / "weights.pt"
    torch.save(theirs.state_dict(), path)
    return path


def test_facenet_pytorchs_weights_give_facenet_pytorchs_embeddings_and_logits(theirs, file):
    imported = import_checkpoint(str(file))
    crops = torch.randint(0, 256, (2, 3, 112, 112), dtype=torch.uint8)
    with torch.no_grad():
        output = imported.network(imported.network.standardize(crops))
        inputs = (crops.float() - 127.5) / 128
        theirs.classify = True
        torch.testing.assert_close(output.logits["identity"], theirs(inputs), rtol=1e-4, atol=1e-4)
        theirs.classify = False
        torch.testing.assert_close(output.embedding, theirs(inputs), rtol=1e-4, atol=1e-5)


def test_every_weight_of_facenet_pytorch_is_matched_once(theirs, file):
    imported = import_checkpoint(str(file))
    assert set(imported.matched) == set(theirs.state_dict())
    assert len(set(imported.matched.values())) == len(imported.matched)
    assert (imported.skipped, imported.initial) == ([], [])


def test_our_weights_load_into_facenet_pytorch(file, tmp_path):
    imported = import_checkpoint(str(file))
    for parameter in imported.network.parameters():
        parameter.data.mul_(1.01)
    save_model(imported.network, imported.card, tmp_path / "model")
    export_checkpoint(tmp_path / "model", tmp_path / "back.pt")
    fresh = InceptionResnetV1(classify=True, num_classes=3).eval()
    fresh.load_state_dict(torch.load(tmp_path / "back.pt", weights_only=True))
    inputs = torch.randn(1, 3, 112, 112)
    with torch.no_grad():
        torch.testing.assert_close(fresh(inputs), imported.network(inputs).logits["identity"], rtol=1e-4, atol=1e-4)


def test_facenet_pytorchs_file_comes_back_to_the_byte(theirs, file, tmp_path):
    imported = import_checkpoint(str(file))
    save_model(imported.network, imported.card, tmp_path / "model")
    export_checkpoint(tmp_path / "model", tmp_path / "back.pt")
    back = torch.load(tmp_path / "back.pt", weights_only=True)
    assert set(back) == set(theirs.state_dict())
    assert all(torch.equal(back[name], value) for name, value in theirs.state_dict().items())


def test_a_file_without_logits_leaves_the_head_initial_and_says_so(theirs, tmp_path):
    weights = {name: value for name, value in theirs.state_dict().items() if not name.startswith("logits")}
    torch.save({"state_dict": weights | {"extra.weight": torch.zeros(1)}}, tmp_path / "w.pt")
    imported = import_checkpoint(str(tmp_path / "w.pt"))
    assert imported.initial == ["heads.identity.weight", "heads.identity.bias"]
    assert imported.skipped == ["extra.weight"]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("last_bn.bias", lambda value: value[:-1], r"its branches\.identity\.bottleneck\.1\.bias is \(511,\)"),
        ("conv2d_1a.bn.weight", None, r"it has no trunk\.stem\.0\.norm\.weight"),
        ("repeat_2.9.conv2d.weight", None, r"it has no trunk\.block17\.9\.project\.weight"),
        ("last_linear.weight", None, r"no last_linear\.weight: not facenet-pytorch's"),
    ],
)
def test_a_file_that_does_not_fit_is_an_error(theirs, tmp_path, name, change, message):
    weights = dict(theirs.state_dict())
    value = weights.pop(name)
    if change:
        weights[name] = change(value)
    torch.save(weights, tmp_path / "w.pt")
    with pytest.raises(ModelFileError, match=message):
        import_checkpoint(str(tmp_path / "w.pt"))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04broken"])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"w\.pt: "):
        import_checkpoint(str(tmp_path / "w.pt"))


def test_what_is_no_checkpoint_is_told_with_the_known_forms(tmp_path):
    with pytest.raises(ModelFileError, match=r"no checkpoint that dwmtl reads: .*vggface2"):
        import_checkpoint(str(tmp_path / "weights.h5"))


@pytest.mark.slow
def test_a_published_name_is_read_from_torchs_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    torch.save(
        InceptionResnetV1(classify=True, num_classes=8631).state_dict(),
        tmp_path / "checkpoints" / "20180402-114759-vggface2.pt",
    )
    imported = import_checkpoint("vggface2")
    assert len(imported.card.classes("identity")) == 8631
    assert imported.card.network.standardization == "fixed"
    assert imported.card.provenance["name"] == "vggface2"
    assert list(imported.card.provenance["files"]) == ["20180402-114759-vggface2.pt"]


def test_a_published_name_that_cannot_be_downloaded_is_told(tmp_path, monkeypatch):
    def unreachable(*_args, **_kwargs):
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("facenet_pytorch.models.inception_resnet_v1.download_url_to_file", unreachable)
    with pytest.raises(ModelFileError, match="casia-webface: facenet-pytorch could not download it"):
        import_checkpoint("casia-webface")


def test_a_model_of_ours_is_taken_as_it_is(tmp_path):
    params = load_params()
    card = ModelCard(
        network=params.network,
        crop_px=112,
        margin_px=14,
        tasks={"identity": TaskCard(head=params.tasks["identity"].head, classes=["a", "b"])},
        provenance={"made_by": "train", "fold": 0},
    )
    network = build_network(card)
    saved = save_model(network, card, tmp_path)
    imported = import_checkpoint(str(tmp_path))
    assert imported.card == saved
    with pytest.raises(ModelFileError, match=r"class names and crops in its model\.json"):
        import_checkpoint(str(tmp_path), overrides=ExpectedInput(crop_px=112))
    with pytest.raises(ModelFileError, match="Leave --sha256 and --trunk out"):
        import_checkpoint(str(tmp_path), sha256="0" * 64)
    torch.testing.assert_close(imported.network.state_dict(), network.state_dict(), rtol=0, atol=0)


def test_class_names_are_kept_and_must_be_as_many_as_the_logits(file):
    named = import_checkpoint(str(file), classes={"identity": ["x", "y", "z"]})
    assert named.card.classes("identity") == ["x", "y", "z"]
    with pytest.raises(ModelFileError, match="3 identity logits and 2 class names"):
        import_checkpoint(str(file), classes={"identity": ["x", "y"]})
    with pytest.raises(ModelFileError, match="it has no task hat"):
        import_checkpoint(str(file), classes={"hat": ["on"]})
