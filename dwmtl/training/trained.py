"""What a training gives: the network, its card, the trajectory and a few figures. Written as a stage's outputs."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from dwmtl.network.model_file import DetectorCard, ModelCard, TaskCard, build_network, model_sha256, save_model
from dwmtl.network.network import FaceNetwork
from dwmtl.params import Params
from dwmtl.stage import whole_folder, write_json
from dwmtl.tables import write_table
from dwmtl.training.trajectory import final_losses


@dataclass(frozen=True)
class Trained:
    """A trained network.

    Attributes:
        averaged: the network with the moving average of the weights, where one was kept.
        trajectory: a row a step, see `training.trajectory`.
        facts: figures for `training.json`: counts, and what the network started from.
    """

    network: FaceNetwork
    averaged: FaceNetwork | None
    card: ModelCard
    trajectory: pd.DataFrame
    facts: dict[str, object]


def model_card(params: Params, classes: dict[str, list[str]], *, provenance: dict[str, object]) -> ModelCard:
    """The card of a network with these tasks, on crops as they were aligned."""
    return ModelCard(
        network=params.network,
        crop_px=params.align.crop_px,
        margin_px=params.align.margin_px,
        detector=DetectorCard.model_validate(params.align.model_dump(include=set(DetectorCard.model_fields))),
        tasks={task: TaskCard(head=params.tasks[task].head, classes=names) for task, names in classes.items()},
        provenance=provenance,
    )


def initial_network(card: ModelCard, *, seed: int) -> FaceNetwork:
    """A network whose initial weights depend on the seed alone. Seeds torch: dropout follows from it too."""
    torch.manual_seed(seed)
    return build_network(card)


def write_trained(trained: Trained, *, model_dir: Path, metrics_dir: Path) -> None:
    """Write the model's folder, and `trajectory.csv` and `training.json` into the other."""
    with whole_folder(model_dir) as folder:
        save_model(trained.network, trained.card, folder, averaged=trained.averaged)
    with whole_folder(metrics_dir) as folder:
        write_table(trained.trajectory, folder / "trajectory.csv")
        write_json(
            {
                **trained.facts,
                "num_steps": len(trained.trajectory),
                "num_parameters": sum(parameter.numel() for parameter in trained.network.parameters()),
                "last_epoch": final_losses(trained.trajectory),
                "model_sha256": model_sha256(model_dir),
            },
            folder / "training.json",
        )
