import pytest
import torch

from dwmtl.errors import ParamsError
from dwmtl.network.inception_resnet import Branch, InceptionResnetTrunk
from dwmtl.network.network import FaceNetwork, standardize_by_channel, standardize_fixed, standardize_per_image
from dwmtl.network.params import ArcFaceHeadParams, CosFaceHeadParams, HiddenHeadParams, MeanStd

CLASSES = {"identity": 5, "expression": 7}


@pytest.fixture(scope="module")
def network(make_network) -> FaceNetwork:
    return make_network(CLASSES, linear_sigma=0.1).eval()


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


def test_relu_on_logits_leaves_none_negative(make_network):
    network = make_network(CLASSES, heads={"expression": HiddenHeadParams(name="hidden", relu_on_logits=True)}).eval()
    with torch.no_grad():
        assert (network(torch.randn(4, 3, 112, 112)).logits["expression"] >= 0).all()


def test_batch_norm_scale_is_not_trained(network):
    scales = [m.weight for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert scales
    assert not any(scale.requires_grad for scale in scales)


def test_a_frozen_part_keeps_its_statistics_and_does_not_drop_out(make_network):
    network = make_network(CLASSES)
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
    for crop, standardized in zip(crops, standardize_per_image(crops), strict=True):
        values = crop.double()
        deviation = max(((values - values.mean()) ** 2).mean().sqrt().item(), 1 / values.numel() ** 0.5)
        torch.testing.assert_close(standardized, ((values - values.mean()) / deviation).float())


def test_standardize_gives_zeros_for_a_crop_of_one_colour():
    assert (standardize_per_image(torch.full((1, 3, 8, 8), 200, dtype=torch.uint8)) == 0).all()


def test_the_last_block_of_a_branch_may_be_negative():
    torch.manual_seed(0)
    branch = Branch(1792, num_block8=1, dropout=0.0).eval()
    with torch.no_grad():
        assert branch(torch.randn(2, 1792, 2, 2)).min() < 0


def test_trunk_repeats_its_blocks_as_told():
    trunk = InceptionResnetTrunk(num_block35=2, num_block17=3)
    assert (len(trunk.block35), len(trunk.block17)) == (2, 3)


def test_fixed_standardisation_is_facenet_pytorchs():
    crops = torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 1, 2)
    assert standardize_fixed(crops).flatten().tolist() == [-127.5 / 128, 127.5 / 128]


def test_the_other_fixed_standardisation_reaches_from_minus_one_to_one():
    crops = torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 1, 2)
    assert standardize_fixed(crops, half_range=127.5).flatten().tolist() == [-1.0, 1.0]


def test_standardisation_by_channel_equals_its_longhand_twin():
    crops = torch.randint(0, 256, (2, 3, 4, 5), dtype=torch.uint8)
    values = MeanStd(mean=[0.1, 0.2, 0.3], std=[0.5, 0.6, 0.7])
    standardized = standardize_by_channel(crops, values)
    for channel, (mean, std) in enumerate(zip(values.mean, values.std, strict=True)):
        expected = (crops[:, channel].double() / 255 - mean) / std
        torch.testing.assert_close(standardized[:, channel], expected.float())


@pytest.mark.parametrize("standardization", ["fixed", "per_image", "minus_one_to_one"])
def test_a_network_that_takes_bgr_gets_the_channels_the_other_way_round(make_network, standardization):
    rgb = make_network({"identity": 2}, standardization=standardization)
    bgr = make_network({"identity": 2}, standardization=standardization, channel_order="bgr")
    crops = torch.randint(0, 256, (2, 3, 8, 6), dtype=torch.uint8)
    torch.testing.assert_close(bgr.standardize(crops), rgb.standardize(crops).flip(1))


def test_channels_are_turned_before_each_gets_its_mean(make_network):
    values = MeanStd(mean=[0.1, 0.2, 0.3], std=[0.5, 0.6, 0.7])
    network = make_network({"identity": 2}, standardization=values, channel_order="bgr")
    crops = torch.randint(0, 256, (2, 3, 8, 6), dtype=torch.uint8)
    blue = (crops[:, 2].float() / 255 - 0.1) / 0.5
    torch.testing.assert_close(network.standardize(crops)[:, 0], blue)


def test_a_bottleneck_shortens_the_embedding_alone(make_network):
    network = make_network(CLASSES, bottleneck=16).eval()
    with torch.no_grad():
        output = network(torch.randn(2, 3, 80, 80))
    assert output.embedding.shape == (2, 16)
    assert output.vectors["expression"].shape == (2, 1792)


def test_inception_resnet_v1_repeats_its_blocks_5_10_5_times(make_network):
    network = make_network({"identity": 2}, trunk="inception_resnet_v1")
    assert (len(network.trunk.block35), len(network.trunk.block17)) == (5, 10)
    assert len(network.branches["identity"].blocks) == 5 + 1


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_050", "convnext_atto", "swin_tiny_patch4_window7_224"])
def test_a_backbone_of_timm_is_a_trunk_with_the_same_heads(make_network, name):
    network = make_network(CLASSES, trunk=f"timm:{name}").eval()
    crop_px = 224 if "224" in name else 112
    with torch.no_grad():
        output = network(torch.randn(2, 3, crop_px, crop_px))
    assert output.shared_features.ndim == 4
    assert output.shared_features[0].numel() == network.num_shared_features(crop_px)
    assert output.logits["expression"].shape == (2, 7)
    assert network.last_shared_layer()


def test_a_backbone_that_timm_does_not_have_is_told(make_network):
    with pytest.raises(ParamsError, match="timm makes no feature maps of it"):
        make_network(CLASSES, trunk="timm:resnet_of_nobody")


def test_a_trunk_that_cannot_take_the_crops_is_told(make_network):
    network = make_network(CLASSES, trunk="timm:vit_tiny_patch16_224")
    with pytest.raises(ParamsError, match=r"cannot take crops of align\.crop_px 112"):
        network.num_shared_features(112)


def test_asking_for_the_features_length_leaves_the_mode(make_network):
    network = make_network({"identity": 2}).train()
    assert network.num_shared_features(112) == 1792 * 2 * 2
    assert network.training


@pytest.mark.parametrize("name", ["arcface", "cosface"])
def test_margin_heads_equal_their_longhand_twin(make_network, name):
    if name == "arcface":
        head = ArcFaceHeadParams(name=name, margin_deg=20.0, scale=8.0)
    else:
        head = CosFaceHeadParams(name=name, margin=0.2, scale=8.0)
    margin_head = make_network({"identity": 3}, heads={"identity": head}, bottleneck=4).heads["identity"]
    vectors, labels = torch.randn(5, 4), torch.tensor([0, 1, 2, 0, 1])
    weights = margin_head.margin_loss.W.detach()  # (D, C)
    for sample, (vector, label) in enumerate(zip(vectors, labels.tolist(), strict=True)):
        cosines = torch.stack([(vector * w).sum() / vector.norm() / w.norm() for w in weights.T])
        torch.testing.assert_close(margin_head(vectors)[sample], 8.0 * cosines)
        angle = torch.arccos(cosines[label])
        margined = torch.cos(angle + torch.deg2rad(torch.tensor(20.0))) if name == "arcface" else cosines[label] - 0.2
        cosines[label] = margined
        expected = (8.0 * cosines).exp().sum().log() - 8.0 * margined
        torch.testing.assert_close(margin_head.sample_losses(vectors, labels)[sample], expected, rtol=1e-4, atol=1e-5)
