import pickle
from urllib.error import URLError

import numpy as np
import pytest
import torch
from facenet_pytorch import InceptionResnetV1

from dwmtl.errors import ModelFileError
from dwmtl.network.export_checkpoint import export_checkpoint
from dwmtl.network.import_checkpoint import import_checkpoint
from dwmtl.network.model_file import ModelCard, TaskCard, build_network, save_model, start_from
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


def test_nothing_but_tensors_is_unpickled(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "written"), "w"))

    (tmp_path / "w.pt").write_bytes(pickle.dumps({"a": Evil()}))
    with pytest.raises(ModelFileError, match=r"w\.pt: not a file of tensors"):
        import_checkpoint(str(tmp_path / "w.pt"))
    torch.save({"a": Evil()}, tmp_path / "v.pt")
    with pytest.raises(ModelFileError, match=r"v\.pt: not a file of tensors"):
        import_checkpoint(str(tmp_path / "v.pt"))
    assert not (tmp_path / "written").exists()


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


def facenet_variables() -> dict[str, tuple[int, ...]]:
    """The variables of facenet's full Inception-ResNet-v1 with a bottleneck, by their names in TensorFlow slim."""
    shapes: dict[str, tuple[int, ...]] = {}

    def conv(scope: str, num_in: int, num_out: int, kernel: tuple[int, int]) -> int:
        shapes[f"{scope}/weights"] = (*kernel, num_in, num_out)
        for name in ("beta", "moving_mean", "moving_variance"):
            shapes[f"{scope}/BatchNorm/{name}"] = (num_out,)
        return num_out

    def tower(scope: str, num: int, *layers: tuple[str, int]) -> None:
        for name, num_out in layers:
            height, width = name.rpartition("_")[2].split("x")
            num = conv(f"{scope}/Conv2d_{name}", num, num_out, (int(height), int(width)))

    def residual(scope: str, num: int, *towers: tuple[tuple[str, int], ...]) -> None:
        for number, layers in enumerate(towers):
            tower(f"{scope}/Branch_{number}", num, *layers)
        inside = sum(layers[-1][1] for layers in towers)
        shapes[f"{scope}/Conv2d_1x1/weights"] = (1, 1, inside, num)
        shapes[f"{scope}/Conv2d_1x1/biases"] = (num,)

    top = "InceptionResnetV1"
    tower(top, 3, ("1a_3x3", 32), ("2a_3x3", 32), ("2b_3x3", 64))
    tower(top, 64, ("3b_1x1", 80), ("4a_3x3", 192), ("4b_3x3", 256))
    for i in range(1, 6):
        residual(
            f"{top}/Repeat/block35_{i}", 256, (("1x1", 32),), (("0a_1x1", 32), ("0b_3x3", 32)),
            (("0a_1x1", 32), ("0b_3x3", 32), ("0c_3x3", 32)),
        )  # fmt: skip
    tower(f"{top}/Mixed_6a/Branch_0", 256, ("1a_3x3", 384))
    tower(f"{top}/Mixed_6a/Branch_1", 256, ("0a_1x1", 192), ("0b_3x3", 192), ("1a_3x3", 256))
    for i in range(1, 11):
        residual(
            f"{top}/Repeat_1/block17_{i}", 896, (("1x1", 128),), (("0a_1x1", 128), ("0b_1x7", 128), ("0c_7x1", 128))
        )
    tower(f"{top}/Mixed_7a/Branch_0", 896, ("0a_1x1", 256), ("1a_3x3", 384))
    tower(f"{top}/Mixed_7a/Branch_1", 896, ("0a_1x1", 256), ("1a_3x3", 256))
    tower(f"{top}/Mixed_7a/Branch_2", 896, ("0a_1x1", 256), ("0b_3x3", 256), ("1a_3x3", 256))
    for block in [*(f"Repeat_2/block8_{i}" for i in range(1, 6)), "Block8"]:
        residual(f"{top}/{block}", 1792, (("1x1", 192),), (("0a_1x1", 192), ("0b_1x3", 192), ("0c_3x1", 192)))
    shapes[f"{top}/Bottleneck/weights"] = (1792, 128)
    for name in ("beta", "moving_mean", "moving_variance"):
        shapes[f"{top}/Bottleneck/BatchNorm/{name}"] = (128,)
    shapes |= {"Logits/weights": (128, 5), "Logits/biases": (5,), "global_step": ()}
    shapes["InceptionResnetV1/Bottleneck/weights/ExponentialMovingAverage"] = (1792, 128)
    return shapes


@pytest.mark.slow
def test_a_plain_facenet_fills_trunk_identity_branch_and_through_it_the_expression_branch(tmp_path):
    tensorflow = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)
    values = {name: rng.normal(size=shape).astype(np.float32) for name, shape in facenet_variables().items()}
    tensorflow.raw_ops.SaveV2(
        prefix=str(tmp_path / "model.ckpt-7"),
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=[tensorflow.constant(value) for value in values.values()],
    )
    imported = import_checkpoint(str(tmp_path / "model.ckpt-7"))
    assert imported.card.network.trunk == "inception_resnet_v1"
    assert imported.card.network.bottleneck == 128
    assert imported.card.network.standardization == "fixed"
    assert sorted(imported.skipped) == sorted(set(values) - set(imported.matched))
    assert len(imported.skipped) == 2
    assert imported.initial == []
    ours = imported.network.state_dict()
    kernel = values["InceptionResnetV1/Repeat_1/block17_10/Branch_1/Conv2d_0b_1x7/weights"]
    assert np.array_equal(ours["trunk.block17.9.towers.1.1.conv.weight"], kernel.transpose(3, 2, 0, 1))
    assert np.array_equal(
        ours["branches.identity.bottleneck.0.weight"], values["InceptionResnetV1/Bottleneck/weights"].T
    )
    assert np.array_equal(ours["heads.identity.weight"], values["Logits/weights"].T)
    last = values["InceptionResnetV1/Block8/Conv2d_1x1/biases"]
    assert np.array_equal(ours["branches.identity.blocks.5.project.bias"], last)

    card = save_model(imported.network, imported.card, tmp_path / "facenet")
    two = {**card.tasks, "expression": TaskCard(head=load_params().tasks["expression"].head, classes=["a", "b"])}
    wider = card.model_copy(update={"tasks": two})
    network = build_network(wider)
    start_from(network, wider, tmp_path / "facenet")
    assert np.array_equal(network.state_dict()["branches.expression.blocks.5.project.bias"], last)
