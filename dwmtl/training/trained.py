"""What a training returns: the network, its card, the trajectory and a few figures. Written as a stage's outputs."""

from dataclasses import dataclass
from pathlib import Path

import torch

from dwmtl.files import whole_folder, write_json
from dwmtl.network.model_card import DetectorCard, ModelCard, TaskCard, build_network
from dwmtl.network.model_file import model_sha256, save_model
from dwmtl.network.network import IDENTITY, FaceNetwork
from dwmtl.params import Params
from dwmtl.tables import write_table
from dwmtl.training.loop import Fitted
from dwmtl.training.task_params import AnyTaskParams
from dwmtl.training.trajectory import empty_trajectory, final_losses
from dwmtl.training.validation import validation_table


@dataclass(frozen=True)
class Trained:
    """A trained network.

    Attributes:
        fitted: its trajectory, its other weights, and how it did on the validation subjects.
        facts: figures for `training.json`: counts, and what the network started from.
    """

    network: FaceNetwork
    card: ModelCard
    fitted: Fitted
    facts: dict[str, object]


def model_card(params: Params, classes: dict[str, list[str]], *, provenance: dict[str, object]) -> ModelCard:
    """The card of a network with these tasks, on crops as they were aligned; `classes`: names of a task's outputs."""
    return ModelCard(
        network=params.network,
        crop_px=params.align.crop_px,
        margin_px=params.align.margin_px,
        detector=DetectorCard.model_validate(params.align.model_dump(include=set(DetectorCard.model_fields))),
        tasks={task: _task_card(params.tasks[task], names) for task, names in classes.items()},
        provenance=provenance,
    )


def _task_card(task: AnyTaskParams, names: list[str]) -> TaskCard:
    return TaskCard(head=task.head, classes=names, kind=task.kind, range=task.range)


def initial_network(card: ModelCard, *, seed: int) -> FaceNetwork:
    """A network whose initial weights depend on the seed alone. Seeds torch: dropout follows from it too."""
    torch.manual_seed(seed)
    return build_network(card)


def write_untrained(*, model_dir: Path, metrics_dir: Path) -> None:
    """The outputs of a training that nobody needs: an empty folder in place of the model, and a record of no step."""
    with whole_folder(model_dir):
        pass
    with whole_folder(metrics_dir) as folder:
        write_table(empty_trajectory((IDENTITY,), has_keep_loss=False), folder / "trajectory.csv")
        write_table(validation_table([]), folder / "validation.csv")
        write_json({"num_steps": 0}, folder / "training.json")


def write_trained(trained: Trained, *, model_dir: Path, metrics_dir: Path) -> None:
    """Write the model's folder, and `trajectory.csv`, `validation.csv` and `training.json` into the other."""
    fitted = trained.fitted
    with whole_folder(model_dir) as folder:
        save_model(trained.network, trained.card, folder, averaged=fitted.averaged, best=fitted.best)
    with whole_folder(metrics_dir) as folder:
        write_table(fitted.trajectory, folder / "trajectory.csv")
        write_table(fitted.validation, folder / "validation.csv")
        write_json(
            {
                **trained.facts,
                "num_steps": len(fitted.trajectory),
                "num_skipped_steps": fitted.num_skipped,
                "best_epoch": fitted.best_epoch,
                "num_parameters": sum(parameter.numel() for parameter in trained.network.parameters()),
                "last_epoch": final_losses(fitted.trajectory),
                "model_sha256": model_sha256(model_dir),
            },
            folder / "training.json",
        )
