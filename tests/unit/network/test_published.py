import pytest
import torch

from dwmtl.errors import ModelFileError, ParamsError
from dwmtl.network import adaface, iresnet
from dwmtl.network.network import FaceNetwork
from dwmtl.network.params import LinearHeadParams, NetworkParams
from dwmtl.network.published import ExpectedInput, project_of, published_names, recognised

TRUNKS = [*iresnet.NUM_BLOCKS, *adaface.NUM_BLOCKS, "mbf", "mobilefacenet", "inception_resnet_v1"]
LINEAR = LinearHeadParams(name="linear", relu_on_logits=False)


def network_of(trunk: str, tasks: tuple[str, ...] = ("identity",)) -> FaceNetwork:
    """Without memory for its weights."""
    params = NetworkParams(
        trunk=trunk,
        bottleneck=512 if trunk == "inception_resnet_v1" else None,
        standardization="fixed",
        dropout=0.0,
        batch_norm_momentum=0.1,
        linear_sigma=0.02,
    )
    with torch.device("meta"):
        return FaceNetwork(params, dict.fromkeys(tasks, LINEAR), dict.fromkeys(tasks, 2))


@pytest.mark.parametrize("trunk", TRUNKS)
@pytest.mark.parametrize("prefix", ["", "model.", "module."])
def test_a_network_is_recognised_by_the_names_of_its_entries(trunk, prefix):
    names = [prefix + name for name in published_names(network_of(trunk), trunk).values()]
    beside = ["head.kernel"] if prefix else []
    assert recognised([*names, *beside]) == (trunk, prefix)


@pytest.mark.parametrize("trunk", TRUNKS)
def test_everything_but_other_tasks_and_heads_has_a_published_name_of_its_own(trunk):
    network = network_of(trunk, ("identity", "expression"))
    names = published_names(network, trunk)
    assert len(set(names.values())) == len(names)
    parts = ("trunk.", "branches.identity.")
    assert {name for name in network.state_dict() if name.startswith(parts)} == {
        name for name in names if not name.startswith("heads.")
    }


def test_a_network_of_another_depth_is_told_with_the_known_ones():
    names = set(published_names(network_of("iresnet18"), "iresnet18").values())
    with pytest.raises(ModelFileError, match=r"it has \(2, 3, 2, 2\) blocks, .*: iresnet18 \(2, 2, 2, 2\)"):
        recognised([*names, "layer2.2.bn1.weight"])


def test_what_is_no_known_network_is_told_with_the_known_ones():
    with pytest.raises(
        ModelFileError, match=r"its entries \(layer9\.weight, \.\.\.\) .* iresnet and mbf, .*timm:<name>"
    ):
        recognised(["layer9.weight"])


def test_what_is_said_of_a_crop_comes_before_what_a_project_is_known_for():
    expects = project_of("adaface_ir_50").expects.overridden(ExpectedInput(channel_order="rgb", margin_px=0))
    assert (expects.channel_order, expects.crop_form, expects.crop_px) == ("rgb", "similarity", 112)


def test_facelivenet_is_no_projects_file():
    assert project_of("facelivenet") is None


@pytest.mark.parametrize(
    ("trunk", "crop_px", "features"),
    [("iresnet18", 112, (256, 14, 14)), ("mbf", 112, (256, 14, 14)), ("mobilefacenet", [112, 96], (128, 14, 12))],
)
def test_shared_features_are_the_last_stages_input(make_network, trunk, crop_px, features):
    network = make_network({"identity": 2, "expression": 3}, trunk=trunk)
    size = (crop_px, crop_px) if isinstance(crop_px, int) else crop_px
    with torch.no_grad():
        output = network.eval()(torch.zeros(1, 3, *size))
    assert output.shared_features.shape[1:] == features
    assert network.num_shared_features(crop_px) == output.shared_features.numel()
    assert output.vectors["expression"].shape == output.vectors["identity"].shape


@pytest.mark.parametrize("trunk", ["iresnet18", "mbf", "mobilefacenet", "adaface_ir_18"])
def test_a_crop_that_does_not_fit_the_embeddings_last_layers_is_told(make_network, trunk):
    with pytest.raises(ParamsError, match=r"cannot take crops of align\.crop_px 160"):
        make_network({"identity": 2}, trunk=trunk).num_shared_features(160)


@pytest.mark.parametrize("trunk", ["iresnet18", "mbf", "mobilefacenet", "adaface_ir_18"])
def test_batch_norms_scale_trains_and_frozen_parts_keep_their_statistics(make_network, trunk):
    network = make_network({"identity": 2, "expression": 3}, trunk=trunk)
    scales = [m.weight for m in network.trunk.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert scales
    assert all(scale.requires_grad for scale in scales)
    network.set_training(frozen={"trunk", "identity"})
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(torch.randn(2, 3, 112, 96 if trunk == "mobilefacenet" else 112))
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith("branches.expression") for name in changed)


@pytest.mark.parametrize("trunk", ["iresnet18", "mobilefacenet", "adaface_ir_18"])
def test_the_last_shared_layer_is_one_block(make_network, trunk):
    network = make_network({"identity": 2}, trunk=trunk)
    last = network.last_shared_layer()
    assert 0 < sum(value.numel() for value in last) < 0.5 * sum(value.numel() for value in network.trunk.parameters())
    assert last[-1] is list(network.trunk.parameters())[-1]
