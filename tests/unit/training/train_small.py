"""A small training in a process of its own, to be killed: `train_small.py FOLDER [--devices N]`.

Writes `<folder>/weights.pt` and `trajectory.csv` when it ends, a line to stdout after every step, and checkpoints after
every step into `<folder>/checkpoints`.
"""

import argparse
import logging
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dwmtl.network.network import FaceNetwork
from dwmtl.network.params import HiddenHeadParams, LinearHeadParams
from dwmtl.params import load_params
from dwmtl.training.compute import Execution, launch
from dwmtl.training.crops import CropDataset
from dwmtl.training.loop import fit
from dwmtl.training.task_params import LossParams
from dwmtl.training.training import Training
from dwmtl.training.validation import Validation
from dwmtl.weighting.by_name import make_weighting

REPOSITORY = Path(__file__).resolve().parents[3]
CROP_PX = 32


def told(row: dict[str, float]) -> None:
    """A line after a step, and time for whoever reads it to send a signal before the training ends."""
    print(f"step {row['step']}", flush=True)
    time.sleep(0.1)


def crops(folder: Path, number: int) -> list[Path]:
    """Paths of crops that show noise; those that are not there yet are written, by one process alone."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}_{index}.png" for index in range(number)]
    for index, path in enumerate(paths):
        if not path.exists():
            noise = np.random.default_rng((number, index))
            Image.fromarray(noise.integers(0, 256, (CROP_PX, CROP_PX, 3), dtype=np.uint8)).save(path)
    return paths


def main(folder: Path, *, devices: int, optimizer: str, learning_rate: float, dropout: float) -> None:
    """Three epochs of three steps, with everything that a checkpoint must hold."""
    logging.basicConfig(level=logging.INFO)
    params = load_params(REPOSITORY / "params.yaml")
    compute = params.compute.model_copy(
        update={"accelerator": "cpu", "num_devices": devices, "checkpoint_interval_s": 0.0}
    )
    torch.set_num_threads(1)
    fabric = launch(compute, precision="32-true")
    train = params.train.model_copy(
        update={
            "num_epochs": 3,
            "batch_size": 4,
            "ema_decay": 0.9,
            "optimizer": params.train.optimizer.model_copy(update={"name": optimizer, "learning_rate": learning_rate}),
        }
    )
    torch.manual_seed(0)
    network = FaceNetwork(
        params.network.model_copy(update={"trunk": "timm:test_resnet", "dropout": dropout}),
        {
            "identity": LinearHeadParams(sharded=True),  # plain in one process
            "expression": HiddenHeadParams(name="hidden", relu_on_logits=False),
        },
        {"identity": 3, "expression": 2},
    )
    num_features = network.num_shared_features(CROP_PX)
    weighting = make_weighting(train.weighting, num_features=num_features, chance_losses=network.chance_losses)
    if fabric.is_global_zero:
        for number in (12, 6):
            crops(folder.parent / "crops", number)
        folder.mkdir(parents=True, exist_ok=True)
        initial = {"network": network.state_dict(), "weighting": weighting.state_dict()}
        centers = torch.zeros(3, network.num_features["identity"])
        torch.save({**initial, "task_losses": {"identity.center.centers": centers}}, folder / "initial.pt")
    fabric.barrier()
    numbers = np.arange(12)
    training = Training(
        network,
        weighting,
        CropDataset(crops(folder.parent / "crops", 12), {"identity": numbers % 3, "expression": numbers % 2}),
        train,
        losses={
            task: LossParams(label_smoothing=0.0, center_factor=0.1, center_alpha=0.5)
            for task in ("identity", "expression")
        },
        weighting_optimizer=train.weighting,
        validation=Validation(
            CropDataset(crops(folder.parent / "crops", 6), {"expression": np.arange(6) % 2}), batch_size=4
        ),
    )
    fitted = fit(
        training,
        Execution(fabric, compute, folder / "checkpoints", told),
    )
    if fabric.is_global_zero:
        fitted.trajectory.to_csv(folder / "trajectory.csv")
        fitted.validation.to_csv(folder / "validation.csv")
        weights = {"last": network, "averaged": fitted.averaged, "best": fitted.best}
        torch.save({name: value.state_dict() for name, value in weights.items()}, folder / "weights.pt")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--optimizer", default="adamw")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--dropout", type=float, default=0.5)
    parser.add_argument("--python", default=sys.executable, help="program that the second process is started by")
    arguments = vars(parser.parse_args())
    sys.executable = arguments.pop("python")
    main(**arguments)
