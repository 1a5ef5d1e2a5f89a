import pytest
import torch

from dwmtl.errors import ModelFileError
from dwmtl.network.model_file import ModelCard, build_network, load_model, model_sha256, save_model, start_from


def make_card(**classes: list[str]) -> ModelCard:
    return ModelCard(
        trunk="facelivenet",
        crop_px=112,
        margin_px=14,
        dropout=0.5,
        batch_norm_momentum=0.1,
        linear_sigma=0.1,
        relu_on_expression_logits=False,
        classes=classes or {"identity": ["a", "b"], "expression": ["anger", "happiness"]},
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    network = build_network(make_card()).eval()
    save_model(network, make_card(), folder)
    return folder, network


def test_a_saved_model_answers_as_before(saved):
    folder, network = saved
    loaded, card = load_model(folder)
    crops = torch.randn(2, 3, 112, 112)
    with torch.no_grad():
        torch.testing.assert_close(loaded(crops).logits, network(crops).logits, rtol=0, atol=0)
    assert card == make_card()
    assert not loaded.training


def test_memory_format_does_not_change_the_bytes(saved, tmp_path):
    folder, network = saved
    save_model(network.to(memory_format=torch.channels_last), make_card(), tmp_path)
    assert model_sha256(tmp_path) == model_sha256(folder)


def test_a_missing_branch_is_filled_from_the_identity_branch(tmp_path):
    torch.manual_seed(0)
    plain = build_network(make_card(identity=["x", "y", "z"]))
    save_model(plain, make_card(identity=["x", "y", "z"]), tmp_path)
    network = build_network(make_card())
    heads = {name: value.clone() for name, value in network.heads.state_dict().items()}
    filled = start_from(network, tmp_path)
    assert filled == {
        "trunk": "trunk",
        "branches.identity": "branches.identity",
        "branches.expression": "branches.identity",
    }
    for part, source in filled.items():
        torch.testing.assert_close(network.get_submodule(part).state_dict(), plain.get_submodule(source).state_dict())
    torch.testing.assert_close(network.heads.state_dict(), heads)


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"model\.json: no such file"):
        load_model(tmp_path)


def test_a_truncated_file_of_weights_is_named(saved, tmp_path):
    folder, _ = saved
    for name in ("model.json", "model.safetensors"):
        (tmp_path / name).write_bytes(
            (folder / name).read_bytes()[:-1000] if "safe" in name else (folder / name).read_bytes()
        )
    with pytest.raises(ModelFileError, match="not a whole safetensors file"):
        load_model(tmp_path)


def test_weights_that_do_not_fit_the_card_are_an_error(saved, tmp_path):
    _folder, network = saved
    save_model(network, make_card(identity=["a", "b", "c"], expression=["anger", "happiness"]), tmp_path)
    with pytest.raises(ModelFileError, match="do not fit"):
        load_model(tmp_path)


def test_an_unknown_key_in_the_card_is_an_error(saved, tmp_path):
    _folder, network = saved
    save_model(network, make_card(), tmp_path)
    card = tmp_path / "model.json"
    card.write_text(card.read_text().replace('"crop_px"', '"crop_pixels"'))
    with pytest.raises(ModelFileError, match="crop_pixels"):
        load_model(tmp_path)
