"""The sole owner of torchjd, an optional extra."""

from collections.abc import Callable
from types import ModuleType

import torch
from torch import Tensor

from dwmtl.errors import ParamsError


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


def with_random_state(generator: torch.Generator, rule: Callable[[], Tensor]) -> Tensor:
    """Call a rule of TorchJD's, which draws from the global generator, with a generator's state in it."""
    state = torch.get_rng_state()
    torch.set_rng_state(generator.get_state())
    try:
        return rule()
    finally:
        torch.set_rng_state(state)
