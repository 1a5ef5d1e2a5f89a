"""The training loop: epochs of steps over crops, recorded, and stopped when a loss is no number."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import Tensor
from tqdm import tqdm

from dwmtl.compute import make_fabric
from dwmtl.errors import NonFiniteLossError
from dwmtl.network.network import EXPRESSION, FaceNetwork, standardize
from dwmtl.params import FitParams
from dwmtl.training.augmentation import Augmentation
from dwmtl.training.crops import CropDataset, ShuffledBatches
from dwmtl.training.losses import CenterLoss
from dwmtl.training.optimizers import make_optimizer, scheduled, set_learning_rate
from dwmtl.training.step import MultiTaskStep
from dwmtl.training.trajectory import trajectory_row
from dwmtl.weighting.weighting import Weighting

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WeightingOptimizer:
    """How a weighting with a loss of its own is trained: an optimiser's name and its constant learning rate."""

    name: str
    learning_rate: float


def fit(
    network: FaceNetwork,
    weighting: Weighting,
    dataset: CropDataset,
    params: FitParams,
    *,
    frozen: set[str],
    weighting_optimizer: WeightingOptimizer | None,
    accelerator: str,
    num_workers: int,
    on_step: Callable[[dict[str, float]], None] = lambda row: None,
    title: str = "train",
) -> pd.DataFrame:
    """Train a network in place.

    Args:
        dataset: its labels in the order of the network's tasks.
        frozen: parts whose batch norm keeps its statistics, see `FaceNetwork.set_training`.
        weighting_optimizer: None for a weighting without a loss of its own.
        accelerator: `auto`, `cpu` or `cuda`.
        on_step: called with every row of the trajectory as it is made.
        title: names the progress bar.
    Returns:
        The trajectory, a row a step (see `training.trajectory`).
    Raises:
        NonFiniteLossError: a task loss became NaN or infinite; the step is not applied.
    """
    fabric = make_fabric(accelerator, precision=params.precision)
    network.to(fabric.device, memory_format=torch.channels_last)
    step = _make_step(network, weighting.to(fabric.device), params, weighting_optimizer, fabric)
    batches = ShuffledBatches(
        dataset,
        batch_size=params.batch_size,
        seed=params.seed,
        num_workers=num_workers,
        pin_memory=fabric.device.type == "cuda",
    )
    augment = Augmentation(**params.augment.model_dump())
    generator = torch.Generator().manual_seed(params.seed)
    network.set_training(frozen=frozen)
    num_steps = params.num_epochs * len(batches)
    rows: list[dict[str, float]] = []
    progress = tqdm(total=num_steps * batches.batch_size, desc=title, unit="img", disable=None)
    for epoch in range(params.num_epochs):
        for crops, labels, indices in batches.epoch(epoch):
            learning_rate = scheduled(
                params.optimizer.learning_rate, schedule=params.optimizer.schedule, step=len(rows), num_steps=num_steps
            )
            set_learning_rate(step.optimizer, learning_rate)
            step.check = _finite_check(network.tasks, dataset, indices, step=len(rows), learning_rate=learning_rate)
            crops = standardize(augment(crops.to(fabric.device), generator))
            labels = labels.to(fabric.device)
            result = step(
                crops.contiguous(memory_format=torch.channels_last),
                {task: labels[:, number] for number, task in enumerate(network.tasks)},
            )
            rows.append(
                trajectory_row(
                    result,
                    step=len(rows),
                    epoch=epoch,
                    tasks=network.tasks,
                    learning_rate=learning_rate,
                    weighting_learning_rate=weighting_optimizer and weighting_optimizer.learning_rate,
                )
            )
            on_step(rows[-1])
            progress.update(len(crops))
        _warn_if_stuck(pd.DataFrame(rows[-len(batches) :]), network, epoch)
    progress.close()
    return pd.DataFrame(rows)


def _make_step(
    network: FaceNetwork,
    weighting: Weighting,
    params: FitParams,
    weighting_optimizer: WeightingOptimizer | None,
    fabric: Fabric,
) -> MultiTaskStep:
    """The training step with its optimisers and class centres, on Fabric's device."""
    parameters = list(network.parameters())
    if weighting.trains_with_network:
        parameters += weighting.parameters()
    own = None
    if weighting_optimizer is not None:
        own = make_optimizer(
            weighting_optimizer.name, weighting.parameters(), learning_rate=weighting_optimizer.learning_rate
        )
    head = network.heads["identity"]
    return MultiTaskStep(
        network=network,
        weighting=weighting,
        center_loss=CenterLoss(head.out_features, head.in_features, alpha=params.center_loss.alpha).to(fabric.device),
        optimizer=make_optimizer(
            params.optimizer.name,
            parameters,
            learning_rate=params.optimizer.learning_rate,
            weight_decay=params.optimizer.weight_decay,
        ),
        weighting_optimizer=own,
        center_factor=params.center_loss.factor,
        clip_grad_norm=params.clip_grad_norm,
        label_smoothing=params.label_smoothing,
        autocast=fabric.autocast,
    )


def _finite_check(
    tasks: tuple[str, ...], dataset: CropDataset, indices: Tensor, *, step: int, learning_rate: float
) -> Callable[[Tensor], None]:
    """A check of the task losses that names the step and the batch's files when one is no number."""

    def check(task_losses: Tensor) -> None:
        if bool(torch.isfinite(task_losses).all()):
            return
        losses = ", ".join(f"{task} {loss}" for task, loss in zip(tasks, task_losses.tolist(), strict=True))
        files = [dataset.paths[index] for index in indices.tolist()]
        raise NonFiniteLossError(
            f"a loss is no finite number at step {step} ({losses}; learning rate {learning_rate:g}). The step was not "
            f"applied. Lower optimizer.learning_rate or clip_grad_norm, or look at the batch's {len(files)} crops, "
            f"from {files[0]}: {' '.join(files[1:4])} ..."
        )

    return check


def _warn_if_stuck(epoch_rows: pd.DataFrame, network: FaceNetwork, epoch: int) -> None:
    """Say so when the expression loss stands at ln(classes): the head answers every class alike, it may be dead."""
    if epoch < 1 or EXPRESSION not in network.tasks:
        return
    chance = math.log(network.num_classes[EXPRESSION])
    if (epoch_rows[f"loss_{EXPRESSION}"] - chance).abs().max() < 1e-3 * chance:
        log.warning(
            "the expression loss stood at ln(%d) = %.3f all through epoch %d: the head gives every class the same "
            "logit. With network.relu_on_expression_logits a fresh head can die so; set it to false.",
            network.num_classes[EXPRESSION],
            chance,
            epoch,
        )
