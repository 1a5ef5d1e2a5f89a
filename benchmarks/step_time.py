"""Time of a step with each weighting, and of one that keeps to its start, against fixed weights, in turns.

    python benchmarks/step_time.py --rounds 20 --batch-size 16 --crop-px 112

Prints the median time of a step, and the ratio of fixed weights' time to it (median over the rounds). `--memory`
instead prints the peak memory of a process that makes three steps, on a CPU.
"""

import platform
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Annotated

import torch
import typer
from outcome import Rounds, report, rounds_until

from dwmtl.network.network import FaceNetwork
from dwmtl.params import load_params
from dwmtl.training.compute import make_fabric
from dwmtl.training.keep import FrozenStart
from dwmtl.training.losses import task_losses_of
from dwmtl.training.optimizers import make_optimizer
from dwmtl.training.step import MultiTaskStep
from dwmtl.weighting.by_name import make_weighting
from dwmtl.weighting.params import WEIGHTINGS, UnitParams, weighting_params

BASELINE = "equal"
KEEP = "keep"
"""Fixed weights, and the forward pass of the frozen start: `train.keep`."""

UNTIMED = (BASELINE, "fixed", "single_task")  # constants as well
NAMES = [*(name for name in WEIGHTINGS if name not in UNTIMED), KEEP]


def main(
    rounds: Annotated[int, typer.Option(help="steps of each weighting that are timed")] = 20,
    batch_size: int = 16,
    crop_px: int = 112,
    num_identities: int = 20,
    accelerator: str = "auto",
    precision: str = "32-true",
    record: Annotated[bool, typer.Option(help="append to docs/benchmarks.md")] = False,
    memory: Annotated[bool, typer.Option(help="instead: the peak memory of a process per weighting")] = False,
    only: Annotated[str, typer.Option(help="weightings and `keep`, separated by commas; by default all")] = "",
) -> None:
    """Time a step with each weighting."""
    names = [BASELINE, *(only.split(",") if only else NAMES)]
    if memory:
        for name in names:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                peak = process.submit(peak_memory, name, batch_size, crop_px, num_identities, precision).result()
            print(f"{name}: {peak / 2**20:.0f} MiB", flush=True)
        return
    fabric = make_fabric(accelerator, precision=precision)
    steps = {name: make_step(name, crop_px, num_identities, fabric) for name in names}
    generator = torch.Generator().manual_seed(0)
    crops, labels = make_batch(batch_size, crop_px, num_identities, fabric.device, generator)
    for step in steps.values():
        for _ in range(3):
            step(crops, labels, generator)
    times: dict[str, list[float]] = {name: [] for name in names}
    others = [name for name in names if name != BASELINE]

    def against(name: str) -> Rounds:
        return Rounds(times[name], times[BASELINE], is_rate=False)

    for number in rounds_until(lambda: all(against(name).agrees for name in others), rounds):
        order = names[number % len(names) :] + names[: number % len(names)]  # the first place rotates
        for name in order:
            times[name].append(timed(steps[name], crops, labels, fabric.device))
    device = torch.cuda.get_device_name() if fabric.device.type == "cuda" else platform.processor() or "CPU"
    print(
        f"{device}, {torch.get_num_threads()} threads, batch {batch_size}, {crop_px} px, {precision}, {rounds} rounds"
    )
    report(
        [
            against(name).outcome(
                f"a step with `{name}`, batch {batch_size}, {crop_px} px, against fixed weights",
                lambda seconds: f"{1000 * seconds:.1f} ms",
            )
            for name in others
        ],
        record=record,
    )


def peak_memory(name: str, batch_size: int, crop_px: int, num_identities: int, precision: str) -> int:
    """Bytes that this process held at most, after three steps on the CPU."""
    fabric = make_fabric("cpu", precision=precision)
    step, generator = make_step(name, crop_px, num_identities, fabric), torch.Generator().manual_seed(0)
    crops, labels = make_batch(batch_size, crop_px, num_identities, fabric.device, generator)
    for _ in range(3):
        step(crops, labels, generator)
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def make_batch(
    batch_size: int, crop_px: int, num_identities: int, device: torch.device, generator: torch.Generator
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Noise as crops, (B, 3, crop_px, crop_px), and labels of both tasks."""
    crops = torch.randn(batch_size, 3, crop_px, crop_px, generator=generator).to(device)
    labels = {
        task: torch.randint(0, num_classes, (batch_size,), generator=generator).to(device)
        for task, num_classes in {"identity": num_identities, "expression": 7}.items()
    }
    return crops.contiguous(memory_format=torch.channels_last), labels


def make_step(name: str, crop_px: int, num_identities: int, fabric) -> MultiTaskStep:
    """A step on a new network."""
    torch.manual_seed(0)
    params = load_params()
    network = FaceNetwork(
        params.network,
        {task: values.head for task, values in params.tasks.items()},
        {"identity": num_identities, "expression": 7},
    )
    network.to(fabric.device, memory_format=torch.channels_last)
    section = weighting_params(BASELINE if name == KEEP else name)
    num_features = network.num_shared_features(crop_px)
    weighting = make_weighting(section, num_features=num_features, chance_losses=network.chance_losses).to(
        fabric.device
    )
    network.set_training(frozen=set())
    has_loss = isinstance(section, UnitParams)
    return MultiTaskStep(
        network=network,
        weighting=weighting,
        task_losses_of=task_losses_of(network, {t: v.loss for t, v in params.tasks.items()}).to(fabric.device),
        optimizer=make_optimizer(
            "adamw",
            network.parameters(),
            learning_rate=1e-5,
            undecayed=weighting.parameters() if weighting.trains_with_network else (),
        ),
        weighting_optimizer=make_optimizer("sgd", weighting.parameters(), learning_rate=0.01) if has_loss else None,
        clip_grad_norm=5.0,
        autocast=fabric.autocast,
        keep=5.0 if name == KEEP else 0.0,
        start=FrozenStart(network) if name == KEEP else None,
    )


def timed(step: MultiTaskStep, crops: torch.Tensor, labels: dict[str, torch.Tensor], device: torch.device) -> float:
    """Seconds of one step."""
    synchronize = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    synchronize()
    start = time.perf_counter()
    step(crops, labels, torch.Generator())
    synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    typer.run(main)
