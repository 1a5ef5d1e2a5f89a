import pytest
import torch

from dwmtl.network.inception_resnet import Branch, Trunk
from dwmtl.network.network import FaceNetwork, standardize


def make_network(**changes) -> FaceNetwork:
    torch.manual_seed(0)
    settings = {
        "trunk": "facelivenet",
        "num_classes": {"identity": 5, "expression": 7},
        "dropout": 0.5,
        "batch_norm_momentum": 0.1,
        "linear_sigma": 0.1,
        "relu_on_expression_logits": False,
    }
    return FaceNetwork(**{**settings, **changes})


@pytest.fixture(scope="module")
def network() -> FaceNetwork:
    return make_network().eval()


@pytest.mark.parametrize(("crop_px", "side"), [(160, 3), (112, 2)])
def test_shared_features_have_the_side_that_the_method_gives(network, crop_px, side):
    with torch.no_grad():
        assert network.trunk(torch.zeros(1, 3, crop_px, crop_px)).shape == (1, 1792, side, side)


def test_intermediate_shapes_are_those_of_facelivenet(network):
    x = torch.zeros(1, 3, 160, 160)
    shapes = []
    with torch.no_grad():
        for layer in network.trunk:
            x = layer(x)
            shapes.append(tuple(x.shape[1:]))
    assert shapes == [(256, 17, 17), (256, 17, 17), (896, 8, 8), (896, 8, 8), (1792, 3, 3)]


def test_trunk_and_two_branches_have_12_8_million_parameters(network):
    parts = [network.trunk, *network.branches.values()]
    assert sum(p.numel() for part in parts for p in part.parameters() if p.requires_grad) / 1e6 == pytest.approx(
        12.8, abs=0.05
    )


def test_output_has_unit_embeddings_and_logits_a_task(network):
    with torch.no_grad():
        output = network(torch.randn(2, 3, 112, 112))
    assert output.embedding.shape == (2, 1792)
    torch.testing.assert_close(output.embedding.norm(dim=1), torch.ones(2))
    assert {task: tuple(values.shape) for task, values in output.logits.items()} == {
        "identity": (2, 5),
        "expression": (2, 7),
    }


def test_identity_logits_come_from_the_vector_before_normalisation(network):
    crops = torch.randn(2, 3, 112, 112)
    with torch.no_grad():
        vector = network.branches["identity"](network.trunk(crops))
        torch.testing.assert_close(network(crops).logits["identity"], network.heads["identity"](vector))


def test_relu_on_expression_logits_leaves_none_negative():
    network = make_network(relu_on_expression_logits=True).eval()
    with torch.no_grad():
        assert (network(torch.randn(4, 3, 112, 112)).logits["expression"] >= 0).all()


def test_batch_norm_scale_is_not_trained(network):
    scales = [m.weight for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert scales
    assert not any(scale.requires_grad for scale in scales)


def test_a_frozen_part_keeps_its_statistics_and_does_not_drop_out():
    network = make_network()
    network.set_training(frozen={"trunk", "identity"})
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(torch.randn(4, 3, 112, 112))
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith("branches.expression") for name in changed)
    assert not network.branches["identity"].dropout.training
    assert network.branches["expression"].dropout.training


def test_standardize_equals_its_longhand_twin():
    crops = torch.randint(0, 256, (3, 3, 9, 9), dtype=torch.uint8)
    for crop, standardized in zip(crops, standardize(crops), strict=True):
        values = crop.double()
        deviation = max(((values - values.mean()) ** 2).mean().sqrt().item(), 1 / values.numel() ** 0.5)
        torch.testing.assert_close(standardized, ((values - values.mean()) / deviation).float())


def test_standardize_gives_zeros_for_a_crop_of_one_colour():
    assert (standardize(torch.full((1, 3, 8, 8), 200, dtype=torch.uint8)) == 0).all()


def test_the_last_block_of_a_branch_may_be_negative():
    torch.manual_seed(0)
    branch = Branch(num_block8=1, dropout=0.0).eval()
    with torch.no_grad():
        assert branch(torch.randn(2, 1792, 2, 2)).min() < 0


def test_trunk_repeats_its_blocks_as_told():
    trunk = Trunk(num_block35=2, num_block17=3)
    assert (len(trunk.block35), len(trunk.block17)) == (2, 3)
