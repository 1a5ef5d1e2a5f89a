"""The device of a model or a detector, by its name in a command or in `params.yaml`, and its precision."""

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


def training_precision(accelerator: str) -> tuple[str, str]:
    """As `fastest_precision`, and float16 (`16-mixed`) on a GPU that has tensor cores but no bf16.

    Float16 needs the losses scaled, which a training does; a network that is only run keeps to float32 there.
    """
    if accelerator != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False):
        return fastest_precision(accelerator)
    if torch.cuda.get_device_capability() >= _TENSOR_CORES:
        return "16-mixed", "the GPU has tensor cores and no bf16"
    return "32-true", "the GPU has neither bf16 nor tensor cores"


def fastest_precision(accelerator: str) -> tuple[str, str]:
    """The precision that `auto` stands for, and why: bf16 where the hardware multiplies it faster than float32.

    Decided by what the hardware has, not by a measurement: the same machine gives the same bytes. Measured ratios are
    in docs/benchmarks.md; a CPU that emulates bf16 takes about ten times as long.

    Args:
        accelerator: `cpu`, `cuda` or `mps`.
    Returns:
        `bf16-mixed` or `32-true`, and the reason, for `training.json`.
    """
    if accelerator == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bf16-mixed", "the GPU has bf16"
        return "32-true", "the GPU has no bf16"
    if accelerator != "cpu":
        return "32-true", f"bf16 was never measured on {accelerator}"
    if not hasattr(torch.cpu, "get_capabilities"):
        return "32-true", "this torch cannot name the processor's capabilities"
    capabilities = torch.cpu.get_capabilities()
    names = [name for name in _FAST_BF16 if capabilities.get(name)]
    if names:
        return "bf16-mixed", f"the processor has {names[0]}"
    return "32-true", f"the processor has none of {', '.join(_FAST_BF16)}"


_TENSOR_CORES = (7, 0)
"""Compute capability of the first NVIDIA GPUs that multiply float16 matrices fast (Volta)."""

_FAST_BF16 = ("amx_bf16", "avx512_bf16", "bf16")
"""Capabilities of a CPU with which bf16 is faster, as `torch.cpu.get_capabilities` names them; the last is ARM's."""


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """A context in which a network computes in `32-true`, `bf16-mixed`, or `auto`, the faster of the two."""
    chosen = fastest_precision(device.type)[0] if precision == "auto" else precision
    return torch.autocast(device.type, torch.bfloat16, enabled=chosen == "bf16-mixed")
