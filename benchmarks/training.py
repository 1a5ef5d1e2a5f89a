"""Images per second of a training, compared with facenet-pytorch's network, float32, `pass_epoch` and loading.

    python benchmarks/training.py --batch-size 16 --steps 6 --rounds 3
    python benchmarks/training.py --batch-size 256 --steps 30 --rounds 3 --num-workers 12     on a GPU

Both sides train the same network (the full Inception-ResNet-v1 with a bottleneck of 512 and a linear head) in turn, on
the same crops from disk (just written, so that the system caches them). Batches that the loading processes have ready
when a round begins are not timed. Also measured: ours without disk and loading processes, FaceLiveNet with both tasks
and dynamic weights, the share of the device's measured peak, and peak memory.
"""

import resource
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import torch
import typer
from facenet_pytorch import InceptionResnetV1, fixed_image_standardization
from facenet_pytorch.models.utils import training as stock
from lightning_fabric import Fabric
from outcome import Outcome, Rounds, report, rounds_until
from PIL import Image
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode
from torchvision import datasets, transforms

from dwmtl.network.network import FaceNetwork
from dwmtl.network.params import LinearHeadParams
from dwmtl.params import Params, load_params
from dwmtl.training.compute import Execution, make_fabric, precision_of
from dwmtl.training.crops import CropDataset
from dwmtl.training.loop import fit
from dwmtl.training.task_params import LossParams
from dwmtl.training.training import Training
from dwmtl.weighting.by_name import make_weighting
from dwmtl.weighting.fixed import FixedWeighting

NUM_PEOPLE = 10
COMPARED = (("ours", "stock"), ("ours", "in_memory"), ("dynamic", "stock"))
"""The sides of each row."""


def main(
    batch_size: int = 16,
    crop_px: int = 160,
    steps: Annotated[int, typer.Option(help="steps of a round; the first is not timed")] = 6,
    rounds: Annotated[int, typer.Option(help="rounds in which all sides take turns")] = 3,
    num_workers: int = 0,
    accelerator: str = "auto",
    precision: Annotated[str, typer.Option(help="precision of our side; the other uses float32")] = "auto",
    compile: str = "auto",
    record: Annotated[bool, typer.Option(help="append to docs/benchmarks.md")] = False,
) -> None:
    """Measure, print, and keep."""
    params = load_params()
    compute = params.compute.model_copy(update={"num_workers": num_workers, "compile": compile, "crop_cache_gib": 0.0})
    params = params.model_copy(update={"compute": compute})
    untimed = 2 * num_workers + 1  # the workers are that far ahead when the first step ends
    if steps < 2 * untimed:
        raise typer.BadParameter(f"with {num_workers} workers a round needs at least {2 * untimed} steps.")
    alone = params.model_copy(update={"compute": compute.model_copy(update={"num_workers": 0})})
    fabric = make_fabric(accelerator, precision=precision)
    with tempfile.TemporaryDirectory() as name:
        crops = write_crops(Path(name), batch_size * steps, crop_px)
        sides = {
            "stock": lambda: stock_rate(Path(name), batch_size, num_workers, untimed, fabric.device),
            "ours": lambda: our_rate(full_network(params), dataset(crops), params, untimed, fabric, batch_size),
            "in_memory": lambda: our_rate(full_network(params), Undisked(crops), alone, untimed, fabric, batch_size),
            "dynamic": lambda: our_rate(
                two_tasks(params), dataset(crops, both=True), params, untimed, fabric, batch_size
            ),
        }
        rates: dict[str, list[float]] = {side: [] for side in sides}
        for _ in rounds_until(lambda: all(against(rates, *pair).agrees for pair in COMPARED), rounds):
            for side, rate in sides.items():
                rates[side].append(rate())
    report(outcomes(rates, params, fabric, batch_size=batch_size, crop_px=crop_px), record=record)


def outcomes(
    rates: dict[str, list[float]], params: Params, fabric: Fabric, *, batch_size: int, crop_px: int
) -> list[Outcome]:
    """The rows of the table, from each side's images per second in each round."""
    gpu = fabric.device.type == "cuda"
    share = median(rates["ours"]) * flops_a_crop(params, crop_px) / peak_flops(fabric)
    memory = torch.cuda.max_memory_allocated() if gpu else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    of = f"{precision_of(fabric)}, batch {batch_size}, {crop_px} px"

    network = f"training Inception-ResNet-v1, the same network, {of}, against facenet-pytorch's loop"
    disk = f"the same from disk, against crops made in memory, {params.compute.num_workers} workers"
    tasks = f"training FaceLiveNet, two tasks, dynamic weights, {of}, against facenet-pytorch's loop and network"
    rows = {network: 5.0 if gpu else 1.3, disk: 0.9 if gpu else None, tasks: 5.0 if gpu else None}
    return [
        *(
            against(rates, *pair).outcome(what, "{:.1f} images/s".format, wanted=wanted)
            for pair, (what, wanted) in zip(COMPARED, rows.items(), strict=True)
        ),
        Outcome("share of the device's peak (a large product of matrices, same precision)", f"{share:.2f}"),
        Outcome("peak memory, of both sides", f"{memory / 2**30:.2f} GiB"),
    ]


def against(rates: dict[str, list[float]], side: str, other: str) -> Rounds:
    """Two sides' images per second."""
    return Rounds(rates[side], rates[other], is_rate=True)


def write_crops(folder: Path, number: int, crop_px: int) -> list[Path]:
    """Write noise as JPEG, a folder per person."""
    rng = np.random.default_rng(0)
    paths = [folder / f"person_{index % NUM_PEOPLE}" / f"{index}.jpg" for index in range(number)]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (crop_px, crop_px, 3), dtype=np.uint8)).save(path)
    return paths


def dataset(crops: list[Path], *, both: bool = False) -> CropDataset:
    """Crops with identities and, for both tasks, expressions."""
    numbers = np.arange(len(crops))
    return CropDataset(crops, {"identity": numbers % NUM_PEOPLE} | ({"expression": numbers % 7} if both else {}))


class Undisked(CropDataset):
    """The first crop, decoded once, for every index: loading takes no time."""

    def __init__(self, crops: list[Path]):
        super().__init__(crops, {"identity": np.arange(len(crops)) % NUM_PEOPLE})
        self._one = super()._crop(0)

    def _crop(self, index: int) -> torch.Tensor:
        return self._one


def full_network(params: Params) -> FaceNetwork:
    """facenet-pytorch's network as a network of ours, with identities only."""
    body = params.network.model_copy(
        update={"trunk": "inception_resnet_v1", "bottleneck": 512, "standardization": "fixed", "dropout": 0.6}
    )
    return FaceNetwork(
        body, {"identity": LinearHeadParams(name="linear", relu_on_logits=False)}, {"identity": NUM_PEOPLE}
    )


def two_tasks(params: Params) -> FaceNetwork:
    """FaceLiveNet."""
    heads = {task: values.head for task, values in params.tasks.items()}
    return FaceNetwork(params.network, heads, {"identity": NUM_PEOPLE, "expression": 7})


def our_rate(
    network: FaceNetwork, crops: CropDataset, params: Params, untimed: int, fabric: Fabric, batch_size: int
) -> float:
    """Images per second over an epoch."""
    times: list[float] = []
    is_both = len(network.tasks) == 2
    weighting = FixedWeighting([1.0])
    if is_both:
        num_features = network.num_shared_features(crops[0][0].shape[-1])
        weighting = make_weighting(
            params.train.weighting, num_features=num_features, chance_losses=network.chance_losses
        )
    training = Training(
        network,
        weighting,
        crops,
        params.train.model_copy(update={"num_epochs": 1, "batch_size": batch_size, "precision": "auto"}),
        losses={task: params.tasks[task].loss if is_both else LossParams() for task in network.tasks},
        weighting_optimizer=params.train.weighting if is_both else None,
    )
    fit(training, Execution(fabric, params.compute, on_step=lambda row: times.append(time.perf_counter())))
    return rate(times[untimed - 1 :], batch_size)


def stock_rate(folder: Path, batch_size: int, num_workers: int, untimed: int, device: torch.device) -> float:
    """The same of facenet-pytorch, used as in its example of fine-tuning."""
    times: list[float] = []

    def clock(predicted: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter())
        return torch.zeros(())

    network = InceptionResnetV1(classify=True, num_classes=NUM_PEOPLE).to(device).train()
    to_tensor = transforms.Compose([np.float32, transforms.ToTensor(), fixed_image_standardization])
    loader = DataLoader(
        datasets.ImageFolder(folder, transform=to_tensor), batch_size, num_workers=num_workers, shuffle=True
    )
    stock.pass_epoch(
        network,
        torch.nn.CrossEntropyLoss(),
        loader,
        torch.optim.Adam(network.parameters(), lr=0.001),
        batch_metrics={"clock": clock},
        show_running=False,
        device=device,
    )
    return rate(times[untimed - 1 :], batch_size)


def rate(times: list[float], batch_size: int) -> float:
    """Images per second between the first time and the last."""
    return (len(times) - 1) * batch_size / (times[-1] - times[0])


def flops_a_crop(params: Params, crop_px: int) -> float:
    """Operations of the forward and backward pass: three times the forward pass's."""
    network = full_network(params).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, crop_px, crop_px))
    return 3 * counter.get_total_flops()


def peak_flops(fabric: Fabric) -> float:
    """Operations per second of a large product of matrices on the device."""
    size = 8192 if fabric.device.type == "cuda" else 1024
    dtype = torch.bfloat16 if precision_of(fabric) == "bf16-mixed" else torch.float32
    a = torch.randn(size, size, device=fabric.device, dtype=dtype)
    seconds = []
    with torch.no_grad():
        for _ in range(10):
            start = time.perf_counter()
            a @ a
            if fabric.device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)


if __name__ == "__main__":
    typer.run(main)
