"""Our networks against facenet-pytorch's own."""

import pytest
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

from dwmtl.crops import mtcnn_networks
from dwmtl.crops.mtcnn_networks import o_net, p_net, r_net

CPU = torch.device("cpu")


def noise(*shape: int) -> torch.Tensor:
    drawn = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return drawn.to(memory_format=torch.channels_last)


@pytest.mark.parametrize("is_blocked", [False, True])
@pytest.mark.parametrize(("network", "theirs", "side"), [(r_net, RNet, 24), (o_net, ONet, 48)])
@pytest.mark.parametrize("num", [1, 3, 32])
def test_crops_get_facenet_pytorchs_answers(network, theirs, side, num, is_blocked):
    crops = noise(num, 3, side, side)
    with torch.inference_mode():
        ours = network(device=CPU, is_blocked=is_blocked)(crops)
        moves, *landmarks, classes = theirs().eval()(crops)
    expected = [classes[:, 1], moves, *(landmarks or [torch.zeros(num, 0)])]
    for one, other in zip(ours, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
        assert one.layout == torch.strided


@pytest.mark.parametrize("is_blocked", [False, True])
def test_pictures_of_two_sizes_get_facenet_pytorchs_proposals(is_blocked):
    small, large = noise(1, 3, 31, 25), noise(1, 3, 40, 33)
    together = torch.zeros(2, 3, 40, 33).to(memory_format=torch.channels_last)
    together[0, :, :31, :25], together[1] = small[0], large[0]
    with torch.inference_mode():
        scores, moves = p_net(device=CPU, is_blocked=is_blocked)(together, [(31, 25), (40, 33)])
        for number, picture in enumerate((small, large)):
            their_moves, their_scores = PNet().eval()(picture)
            height, width = their_scores.shape[2:]
            torch.testing.assert_close(scores[number, :height, :width], their_scores[0, 1], rtol=0, atol=1e-5)
            torch.testing.assert_close(moves[number, :, :height, :width], their_moves[0], rtol=0, atol=1e-5)


def pooled_layouts(monkeypatch) -> list[bool]:
    """Whether pooling is given blocked tensors: filled while a network runs."""
    layouts: list[bool] = []
    pool = mtcnn_networks.F.max_pool2d

    def watched(x, *args, **options):
        layouts.append(x.is_mkldnn)
        return pool(x, *args, **options)

    monkeypatch.setattr("torch.nn.functional.max_pool2d", watched)
    return layouts


@pytest.mark.parametrize("has_onednn", [True, False])
def test_layers_are_blocked_where_torch_has_onednn(has_onednn, monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: has_onednn)
    layouts = pooled_layouts(monkeypatch)
    r_net(device=CPU, is_blocked=True)(noise(1, 3, 24, 24))
    assert layouts == [has_onednn, has_onednn]


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(mtcnn_networks, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="facenet_pytorch"):
        p_net(device=CPU, is_blocked=False)
