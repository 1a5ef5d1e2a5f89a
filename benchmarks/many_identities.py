"""Time and memory of a training step with as many identities as a web-scale set has.

    python benchmarks/many_identities.py --num-identities 100000 [--sample-rate 0.1]

Compared with the same step with 1,000 identities, in the same run: time per step, and the memory of weights, gradients,
the optimiser's two moments, the centres and the logits. Both tasks, dynamic weights, an embedding of length 512.
"""

import resource
import time
from statistics import median
from typing import Annotated

import torch
import typer
from lightning_fabric import Fabric
from outcome import Outcome, report

from dwmtl.network.network import FaceNetwork
from dwmtl.params import load_params
from dwmtl.training.compute import make_fabric
from dwmtl.training.losses import task_losses_of
from dwmtl.training.optimizers import make_optimizer
from dwmtl.training.step import MultiTaskStep
from dwmtl.weighting.by_name import make_weighting

FEW = 1_000


def main(
    num_identities: int = 100_000,
    batch_size: int = 16,
    crop_px: int = 112,
    steps: int = 3,
    accelerator: str = "auto",
    sample_rate: float = 1.0,
    record: Annotated[bool, typer.Option(help="append to docs/benchmarks.md")] = False,
) -> None:
    """Measure, print, and keep."""
    fabric = make_fabric(accelerator, precision="auto")
    device = fabric.device
    few, _ = measure(FEW, batch_size, crop_px, steps, fabric, 1.0)
    many, num_parameters = measure(num_identities, batch_size, crop_px, steps, fabric, sample_rate)
    gpu = device.type == "cuda"
    memory = torch.cuda.max_memory_allocated() if gpu else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    what = f"a step with {num_identities:,} identities ({num_parameters / 1e6:.0f} M parameters), batch {batch_size}"
    what += f", a share of {sample_rate:g} sampled" * (sample_rate < 1)
    report(
        [
            Outcome(f"{what}, against {FEW:,}", f"{1000 * many:.0f} ms", f"{1000 * few:.0f} ms", few / many),
            Outcome("peak memory of both", f"{memory / 2**30:.2f} GiB"),
        ],
        record=record,
    )


def measure(
    num_identities: int, batch_size: int, crop_px: int, steps: int, fabric: Fabric, sample_rate: float
) -> tuple[float, int]:
    """Seconds per step, and the number of the network's parameters."""
    device = fabric.device
    torch.manual_seed(0)
    params = load_params()
    body = params.network.model_copy(update={"bottleneck": 512})
    heads = {task: values.head for task, values in params.tasks.items()}
    heads["identity"] = heads["identity"].model_copy(update={"sample_rate": sample_rate})
    network = FaceNetwork(body, heads, {"identity": num_identities, "expression": 7})
    network.to(device, memory_format=torch.channels_last)
    num_features = network.num_shared_features(crop_px)
    weighting = make_weighting(
        params.train.weighting, num_features=num_features, chance_losses=network.chance_losses
    ).to(device)
    network.set_training(frozen=set())
    step = MultiTaskStep(
        network=network,
        weighting=weighting,
        task_losses_of=task_losses_of(network, {task: v.loss for task, v in params.tasks.items()}).to(device),
        optimizer=make_optimizer("adamw", network.parameters(), learning_rate=1e-4),
        weighting_optimizer=make_optimizer("sgd", weighting.parameters(), learning_rate=0.1),
        clip_grad_norm=5.0,
        autocast=fabric.autocast,
    )
    crops = torch.randn(batch_size, 3, crop_px, crop_px, device=device).contiguous(memory_format=torch.channels_last)
    labels = {
        "identity": torch.randint(0, num_identities, (batch_size,), device=device),
        "expression": torch.randint(0, 7, (batch_size,), device=device),
    }
    generator = torch.Generator()
    step(crops, labels, generator)
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        result = step(crops, labels, generator)
        float(result.total_loss)  # waits for a GPU
        seconds.append(time.perf_counter() - start)
    assert torch.isfinite(result.total_loss)
    return median(seconds), sum(parameter.numel() for parameter in network.parameters())


if __name__ == "__main__":
    typer.run(main)
