import pytest
import torch

from dwmtl.errors import ParamsError
from dwmtl.params import load_params
from dwmtl.training.compute import launch, make_fabric, precision_of


@pytest.fixture
def compute():
    return load_params().compute.model_copy(update={"accelerator": "cpu"})


@pytest.fixture(autouse=True)
def _nobody_started_it(monkeypatch):
    for name in ("WORLD_SIZE", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)


def test_one_process_on_the_cpu_is_the_first_and_the_whole(compute):
    fabric = launch(compute, precision="auto")
    assert (fabric.world_size, fabric.is_global_zero, fabric.device.type) == (1, True, "cpu")


@pytest.mark.parametrize(("started", "num_devices"), [("2", 1), ("2", 4), ("1", 2)])
def test_as_many_processes_as_the_params_say_must_have_been_started(compute, monkeypatch, started, num_devices):
    """Else each would take itself for the only one, and write the same files."""
    monkeypatch.setenv("WORLD_SIZE", started)
    with pytest.raises(ParamsError, match=rf"{started} processes were started, .* is {num_devices}\. Make them equal"):
        launch(compute.model_copy(update={"num_devices": num_devices}), precision="32-true")


def test_nodes_that_nobody_started_are_told_at_once(compute):
    with pytest.raises(ParamsError, match=r"num_nodes is 2, and nobody started the other nodes\. Start .* torchrun"):
        launch(compute.model_copy(update={"num_nodes": 2}), precision="32-true")


@pytest.mark.parametrize(("has_amx", "precision"), [(True, "bf16-mixed"), (False, "32-true")])
def test_precision_auto_is_bf16_where_a_cpu_multiplies_matrices_of_it(monkeypatch, has_amx, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": has_amx, "avx512_bf16": True})
    assert precision_of(make_fabric("cpu", precision="auto")) == precision
    assert precision_of(make_fabric("cpu", precision="32-true")) == "32-true"


def test_a_torch_that_cannot_tell_gives_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert precision_of(make_fabric("cpu", precision="auto")) == "32-true"
