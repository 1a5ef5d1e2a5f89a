"""What a training runs on: device, precision and processes, by Lightning Fabric."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from dwmtl.cores import limit_threads
from dwmtl.device import device_of, training_precision
from dwmtl.errors import ParamsError
from dwmtl.stage import num_started
from dwmtl.training.params import ComputeParams


@dataclass(frozen=True)
class Execution:
    """How a training is run, whatever it trains.

    Attributes:
        fabric: launched, see `launch`.
        checkpoint_dir: where an interrupted training is saved and resumed from; None: nothing is saved, and signals do
            what they always do.
        on_step: called with every row of the trajectory as it is made, and with the saved rows of a resumed training.
        title: names the progress bar.
    """

    fabric: Fabric
    compute: ComputeParams
    checkpoint_dir: Path | None = None
    on_step: Callable[[dict[str, float]], None] = lambda row: None
    title: str = "train"


def make_fabric(accelerator: str, *, precision: str = "32-true", num_devices: int = 1, num_nodes: int = 1) -> Fabric:
    """A Fabric, not yet launched.

    Args:
        accelerator: `auto` (a GPU if there is one), `cpu` or `cuda`.
        precision: `32-true`, `bf16-mixed`, `16-mixed`, or `auto`, see `training_precision`.
        num_devices: processes on this node, each with a device of its own (on a CPU: with a share of its cores).
        num_nodes: of a job that `torchrun` or a cluster's scheduler started.
    Raises:
        ParamsError: `cuda` on a machine where torch sees no CUDA device, or fewer than `num_devices`; `16-mixed` on
            another device.
    """
    accelerator = device_of(accelerator, asked_by="compute.accelerator").type
    if accelerator == "cuda" and torch.cuda.device_count() < num_devices:
        raise ParamsError(
            f"compute.num_devices must be <= the CUDA devices that torch sees ({torch.cuda.device_count()}). "
            f"Got {num_devices} instead."
        )
    if precision == "16-mixed" and accelerator != "cuda":  # Fabric would take bf16
        raise ParamsError(f"precision is 16-mixed, which needs a CUDA device. Use auto or 32-true on {accelerator}.")
    chosen: Any = training_precision(accelerator)[0] if precision == "auto" else precision  # Fabric's type is private
    return Fabric(accelerator=accelerator, devices=num_devices, num_nodes=num_nodes, precision=chosen)


def launch(compute: ComputeParams, *, precision: str) -> Fabric:
    """A Fabric in every process of a training; the others are started here, running this process's command again.

    Call it before anything is written. Under `torchrun`, or a cluster's scheduler, the processes are there already.
    """
    _check_processes(compute.num_devices * compute.num_nodes, compute.num_nodes)
    if compute.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
    fabric = make_fabric(
        compute.accelerator, precision=precision, num_devices=compute.num_devices, num_nodes=compute.num_nodes
    )
    if num_threads := limit_threads(compute.num_devices):  # Fabric shares out the machine's cores, not a quota's
        torch.set_num_threads(num_threads)
    fabric.launch()
    return fabric


def precision_of(fabric: Fabric) -> str:
    """What a Fabric's `auto` became: `32-true`, `bf16-mixed` or `16-mixed`."""
    return fabric.strategy.precision.precision


def precision_facts(fabric: Fabric, *, asked: str) -> dict[str, str]:
    """What `training.json` says of the precision: which, and who chose it, `params.yaml` or the hardware."""
    reason = training_precision(fabric.device.type)[1] if asked == "auto" else "params.yaml asks for it"
    return {"precision": precision_of(fabric), "precision_reason": reason}


def _check_processes(number: int, num_nodes: int) -> None:
    """Whoever started this process must have started as many as the params say."""
    started = num_started()
    if started is not None and started != number:
        raise ParamsError(
            f"{started} processes were started, and compute.num_devices times compute.num_nodes is {number}. Make them "
            "equal."
        )
    if started is None and num_nodes > 1:
        raise ParamsError(
            f"compute.num_nodes is {num_nodes}, and nobody started the other nodes. Start the stage by torchrun on "
            "each node (docs/training.md), or set it to 1."
        )
