"""What a stage runs on: the device and the precision, by Lightning Fabric."""

import torch
from lightning_fabric import Fabric

from dwmtl.errors import ParamsError


def make_fabric(accelerator: str, *, precision: str = "32-true") -> Fabric:
    """A Fabric on one device.

    Args:
        accelerator: `auto` (a GPU if there is one), `cpu` or `cuda`.
        precision: `32-true` or `bf16-mixed`.
    Raises:
        ParamsError: `cuda` on a machine where torch sees no CUDA device.
    """
    if accelerator == "cuda" and not torch.cuda.is_available():
        raise ParamsError("compute.accelerator is cuda, and torch sees no CUDA device. Set it to auto or cpu.")
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    return Fabric(accelerator=accelerator, devices=1, precision=precision)
