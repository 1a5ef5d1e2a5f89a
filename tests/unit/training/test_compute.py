import pytest
import torch

from dwmtl.device import fastest_precision
from dwmtl.errors import ParamsError
from dwmtl.params import load_params
from dwmtl.training.compute import launch, make_fabric, precision_facts, precision_of


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


def test_an_interactive_job_of_a_cluster_starts_one_process(compute, monkeypatch):
    monkeypatch.setenv("SLURM_NTASKS", "8")
    monkeypatch.setenv("SLURM_JOB_NAME", "interactive")
    assert launch(compute, precision="32-true").world_size == 1


def test_nodes_that_nobody_started_are_told_at_once(compute):
    with pytest.raises(ParamsError, match=r"num_nodes is 2, and nobody started the other nodes\. Start .* torchrun"):
        launch(compute.model_copy(update={"num_nodes": 2}), precision="32-true")


@pytest.mark.parametrize(
    ("capabilities", "precision", "reason"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, "bf16-mixed", "the processor has amx_bf16"),
        ({"amx_bf16": False, "avx512_bf16": True}, "bf16-mixed", "the processor has avx512_bf16"),
        ({"bf16": True, "sve": True}, "bf16-mixed", "the processor has bf16"),
        ({"avx512_f": True}, "32-true", "the processor has none of amx_bf16, avx512_bf16, bf16"),
    ],
)
def test_precision_auto_is_bf16_where_a_cpu_multiplies_it_fast(monkeypatch, capabilities, precision, reason):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    fabric = make_fabric("cpu", precision="auto")
    assert precision_facts(fabric, asked="auto") == {"precision": precision, "precision_reason": reason}


def test_a_precision_that_the_user_asks_for_is_taken_and_said_to_be_asked_for():
    fabric = make_fabric("cpu", precision="32-true")
    expected = {"precision": "32-true", "precision_reason": "params.yaml asks for it"}
    assert precision_facts(fabric, asked="32-true") == expected


def test_a_torch_that_cannot_tell_gives_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert precision_of(make_fabric("cpu", precision="auto")) == "32-true"


def test_a_device_on_which_bf16_was_never_measured_gets_float32():
    assert fastest_precision("mps") == ("32-true", "bf16 was never measured on mps")
