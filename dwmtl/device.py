"""The device of a model or a detector, by its name in a command or in `params.yaml`."""

import os

import torch

from dwmtl.errors import ParamsError


def device_of(name: str | torch.device, *, asked_by: str = "device") -> torch.device:
    """The device of a name: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:<number>`; or itself.

    Args:
        asked_by: the option or param that has the name, for a message.
    Raises:
        ParamsError: the name is none of these, or the device does not exist.
    """
    name = str(name)
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if name != "cpu" and (kind != "cuda" or (number and not number.isdecimal())):
        raise ParamsError(f"{asked_by} must be auto, cpu, cuda or cuda:<number>. Got {name} instead.")
    num_gpus = torch.cuda.device_count()
    if kind == "cuda" and int(number or 0) >= num_gpus:
        raise ParamsError(f"{asked_by} is {name}, and torch sees {num_gpus} CUDA devices. Use auto or cpu.")
    return torch.device(name)


def num_cores() -> int:
    """The cores that this process may use; a container or a scheduler may leave it fewer than the machine has."""
    has_affinity = hasattr(os, "sched_getaffinity")  # Linux
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
