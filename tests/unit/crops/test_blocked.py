"""The blocked layout against torch's own."""

import copy

import pytest
import torch
from facenet_pytorch.models.mtcnn import ONet, RNet

from dwmtl.crops.blocked import run_blocked

CASES = [(RNet, 24, "prelu3"), (ONet, 48, "prelu4")]


@pytest.mark.parametrize(("network", "side", "last"), CASES)
@pytest.mark.parametrize("num", [1, 3, 32])
def test_blocked_layers_give_what_the_network_gave(network, side, last, num):
    plain = network().eval().requires_grad_(False)
    blocked = copy.deepcopy(plain)
    run_blocked(blocked, "conv1", last)
    crops = torch.rand((num, 3, side, side), generator=torch.Generator().manual_seed(0)) * 2 - 1
    for one, other in zip(blocked(crops), plain(crops), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
        assert one.layout == torch.strided


def test_a_layer_within_gets_blocked_tensors():
    network = RNet().eval().requires_grad_(False)
    run_blocked(network, "conv1", "prelu3")
    layouts = []
    network.pool1.register_forward_pre_hook(lambda _, inputs: layouts.append(inputs[0].is_mkldnn))
    network(torch.zeros((1, 3, 24, 24)))
    assert layouts == [True]


def test_a_torch_without_onednn_keeps_the_layers(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    network = RNet()
    layers = list(network.children())
    run_blocked(network, "conv1", "prelu3")
    assert list(network.children()) == layers
