import pytest
import torch

from dwmtl.device import device_of, fastest_precision
from dwmtl.errors import ParamsError
from dwmtl.training.compute import make_fabric


@pytest.fixture
def mac(monkeypatch):
    """A machine where torch offers Apple's `mps`, and no CUDA."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


def test_auto_is_the_cpu_where_there_is_mps(mac):
    assert device_of("auto") == torch.device("cpu")
    fabric = make_fabric("auto", precision="auto")
    assert fabric.device == torch.device("cpu")
    assert fabric.to_device(torch.ones(2)).sum() == 2


def test_mps_is_refused_by_name(mac):
    with pytest.raises(ParamsError, match=r"device must be auto, cpu, cuda or cuda:<number>. Got mps instead"):
        device_of("mps")


def test_bf16_is_not_chosen_on_mps(mac):
    assert fastest_precision("mps") == ("32-true", "bf16 was never measured on mps")
