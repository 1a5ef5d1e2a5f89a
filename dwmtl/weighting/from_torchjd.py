"""The sole owner of torchjd, an optional extra."""

from collections.abc import Callable
from types import ModuleType

import torch
from torch import Tensor

from dwmtl.errors import ParamsError

_CPU = torch.device("cpu")


def aggregation(name: str) -> ModuleType:
    """TorchJD's rules.

    Args:
        name: the weighting that needs them, for the error.
    Raises:
        ParamsError: torchjd is not installed.
    """
    try:
        from torchjd import aggregation
    except ImportError:
        raise ParamsError(f"train.weighting.name is {name}, which needs an extra: pip install 'dwmtl[jd]'.") from None
    return aggregation


def with_random_state(generator: torch.Generator, rule: Callable[[], Tensor], *, device: torch.device = _CPU) -> Tensor:
    """Call a rule of TorchJD's, which draws from the global generator of its matrix's device.

    On the CPU that has the state of `generator` meanwhile, on a GPU its seed: the same in every process.
    """
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.set_rng_state(generator.get_state())
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(generator.initial_seed())
        return rule()
