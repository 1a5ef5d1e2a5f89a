"""Whether two trainings with the same seed end with the same bytes, with `compute.deterministic`.

    python benchmarks/same_bytes.py --accelerator cuda

Trains FaceLiveNet with both tasks and dynamic weights on noise, twice, and compares the SHA-256 of all weights. Also
measured: what the deterministic kernels cost.
"""

import hashlib
import tempfile
import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from outcome import Outcome, report
from training import dataset, two_tasks, write_crops

from dwmtl.params import Params, load_params
from dwmtl.training.compute import Execution, launch
from dwmtl.training.loop import fit
from dwmtl.training.training import Training
from dwmtl.weighting.by_name import make_weighting


def main(
    steps: int = 6,
    batch_size: int = 8,
    crop_px: int = 112,
    accelerator: str = "auto",
    record: Annotated[bool, typer.Option(help="append to docs/benchmarks.md")] = False,
) -> None:
    """Train, compare and print. The exit code is 1 where the bytes differ."""
    params = load_params()
    with tempfile.TemporaryDirectory() as folder:
        crops = write_crops(Path(folder), steps * batch_size, crop_px)
        fast, _ = train(crops, params, accelerator, batch_size, deterministic=False)
        seconds, first = train(crops, params, accelerator, batch_size, deterministic=True)
        _, second = train(crops, params, accelerator, batch_size, deterministic=True)
    what = f"two trainings of {steps} steps, `deterministic`"
    report(
        [
            Outcome(f"{what}: SHA-256 of the weights", first[:12], second[:12], float(first == second), 1.0),
            Outcome(f"{what}, against the default kernels", f"{seconds:.2f} s", f"{fast:.2f} s", fast / seconds),
        ],
        record=record,
    )
    raise SystemExit(first != second)


def train(
    crops: list[Path], params: Params, accelerator: str, batch_size: int, *, deterministic: bool
) -> tuple[float, str]:
    """Seconds of a training of one epoch, without its first step, and the SHA-256 of the trained weights."""
    torch.manual_seed(0)
    changes = {"accelerator": accelerator, "deterministic": deterministic, "compile": "off", "num_workers": 0}
    compute = params.compute.model_copy(update=changes)
    fabric = launch(compute, precision="auto")
    network = two_tasks(params)
    num_features = network.num_shared_features(dataset(crops)[0][0].shape[-1])
    weighting = make_weighting(params.train.weighting, num_features=num_features, chance_losses=network.chance_losses)
    training = Training(
        network,
        weighting,
        dataset(crops, both=True),
        params.train.model_copy(update={"num_epochs": 1, "batch_size": batch_size, "precision": "auto"}),
        losses={task: params.tasks[task].loss for task in network.tasks},
        weighting_optimizer=params.train.weighting,
    )
    ends: list[float] = []
    fit(training, Execution(fabric, compute, on_step=lambda row: ends.append(time.perf_counter())))
    return ends[-1] - ends[0], digest(network)


def digest(network: torch.nn.Module) -> str:
    """SHA-256 of all weights and statistics, in the order of their names."""
    content = hashlib.sha256()
    for _, values in sorted(network.state_dict().items()):
        content.update(values.cpu().contiguous().numpy().tobytes())
    return content.hexdigest()


if __name__ == "__main__":
    typer.run(main)
