import runpy
from pathlib import Path

import pytest
import torch

from dwmtl.errors import ModelFileError
from dwmtl.network.model_card import build_network
from dwmtl.network.model_file import save_model
from dwmtl.network.start_from import start_from

make_card = runpy.run_path(str(Path(__file__).with_name("small_card.py")))["make_card"]


def test_a_missing_branch_is_filled_from_the_identity_branch(tmp_path):
    torch.manual_seed(0)
    plain = build_network(make_card(identity=["x", "y", "z"]))
    save_model(plain, make_card(identity=["x", "y", "z"]), tmp_path)
    network = build_network(make_card())
    heads = {name: value.clone() for name, value in network.heads.state_dict().items()}
    filled = start_from(network, make_card(), tmp_path)
    assert filled == {
        "trunk": "trunk",
        "branches.identity": "branches.identity",
        "branches.expression": "branches.identity",
    }
    for part, source in filled.items():
        torch.testing.assert_close(network.get_submodule(part).state_dict(), plain.get_submodule(source).state_dict())
    torch.testing.assert_close(network.heads.state_dict(), heads)


def test_a_branch_with_a_bottleneck_fills_one_without(tmp_path):
    torch.manual_seed(0)
    narrow = {"bottleneck": 16}
    plain = build_network(make_card(narrow, identity=["x", "y"]))
    save_model(plain, make_card(narrow, identity=["x", "y"]), tmp_path)
    network = build_network(make_card(narrow))
    start_from(network, make_card(narrow), tmp_path)
    blocks = plain.branches["identity"].blocks.state_dict()
    torch.testing.assert_close(network.branches["expression"].blocks.state_dict(), blocks)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trunk": "inception_resnet_v1"}, r"its network\.trunk is facelivenet, and params\.yaml has inception"),
        ({"standardization": "fixed"}, r"its network\.standardization is per_image"),
        ({"bottleneck": 16}, r"its network\.bottleneck is None, and params\.yaml has 16"),
    ],
)
def test_a_start_of_another_kind_is_an_error_and_fills_nothing(saved, change, message):
    folder, _network = saved
    network = build_network(make_card(change))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ModelFileError, match=message):
        start_from(network, make_card(change), folder)
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)


def test_a_bottleneck_is_not_dropped_in_silence(tmp_path):
    narrow = make_card({"bottleneck": 16})
    save_model(build_network(narrow), narrow, tmp_path)
    with pytest.raises(ModelFileError, match=r"its network\.bottleneck is 16, and params\.yaml has None"):
        start_from(build_network(make_card()), make_card(), tmp_path)


def test_a_start_on_other_crops_is_told(saved, caplog):
    folder, network = saved
    start_from(network, make_card().model_copy(update={"crop_px": 160}), folder)
    assert "crop_px 112; yours have 160" in caplog.text


def test_the_margin_of_crops_by_landmarks_means_nothing(tmp_path, caplog):
    card = make_card()
    upright = card.model_copy(update={"detector": card.detector.model_copy(update={"crop_form": "similarity"})})
    save_model(build_network(upright), upright, tmp_path)
    start_from(build_network(upright), upright.model_copy(update={"margin_px": 0}), tmp_path)
    assert "trained on crops" not in caplog.text
