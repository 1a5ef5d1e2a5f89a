"""Which model is loaded, with which weights, onto which device."""

import pytest
import torch

from dwmtl.errors import ModelFileError, ParamsError
from dwmtl.inference.model import load_model
from dwmtl.network.model_file import load_model as read_model


def test_weights_that_a_model_does_not_have_are_told(known):
    with pytest.raises(ModelFileError, match=r"model_ema\.safetensors"):
        load_model(known.model, device="cpu", weights="ema")


def test_a_file_in_a_models_folder_means_the_folder(known):
    expected = load_model(known.model, device="cpu").card
    for name in ("model.json", "model.safetensors"):
        assert load_model(known.model / name, device="cpu").card == expected
        assert read_model(str(known.model / name))[1] == expected


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("model.safetensors", r"model\.json: no such file. A model is a folder"),
        ("photo.jpg", r"photo\.jpg/model\.json: no such file. A model is a folder"),
        ("a" * 300, "File name too long"),
        ("a\0b", "no name of a folder"),
        ("odd", r"odd/model\.json: Is a directory"),
    ],
)
def test_what_is_no_model_is_one_line(tmp_path, source, what):
    (tmp_path / "photo.jpg").touch()
    (tmp_path / "odd/model.json").mkdir(parents=True)
    with pytest.raises(ModelFileError, match=what) as told:
        load_model(tmp_path / source, device="cpu")
    assert "\n" not in str(told.value)


def test_weights_of_no_such_name_are_told(known):
    for name in ("Best", "model.safetensors", None):
        with pytest.raises(ParamsError, match=f"weights must be raw, ema, best. Got {name!r}"):
            load_model(known.model, device="cpu", weights=name)


def test_a_device_of_torch_is_a_device(known):
    assert load_model(known.model, device=torch.device("cpu")).device == torch.device("cpu")
    with pytest.raises(ParamsError, match="Got meta"):
        load_model(known.model, device=torch.device("meta"))


@pytest.mark.parametrize("name", ["tpu", "cuda:x", "cpu:3"])
def test_an_unknown_device_is_told(known, name):
    with pytest.raises(ParamsError, match=f"device must be auto, cpu, cuda or cuda:<number>. Got {name}"):
        load_model(known.model, device=name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_told(known):
    with pytest.raises(ParamsError, match="device is cuda, and torch sees 0 CUDA devices"):
        load_model(known.model, device="cuda")
