"""The training loop: epochs of steps over crops, recorded, and stopped when a loss is no number."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from dwmtl.compute import make_fabric
from dwmtl.errors import NonFiniteLossError
from dwmtl.network.network import FaceNetwork
from dwmtl.params import FitParams, LossParams
from dwmtl.training.augmentation import Augmentation
from dwmtl.training.crops import CropDataset, ShuffledBatches
from dwmtl.training.losses import TaskLoss
from dwmtl.training.optimizers import make_optimizer, scheduled, set_learning_rate
from dwmtl.training.step import MultiTaskStep
from dwmtl.training.trajectory import empty_trajectory, trajectory_row
from dwmtl.weighting.weighting import Weighting

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WeightingOptimizer:
    """How a weighting with a loss of its own is trained: an optimiser's name and its constant learning rate."""

    name: str
    learning_rate: float


@dataclass(frozen=True)
class Fitted:
    """What a training leaves beside the network that it trained in place.

    Attributes:
        trajectory: a row a step (see `training.trajectory`).
        averaged: the network with the moving average of the weights, None where none was kept.
    """

    trajectory: pd.DataFrame
    averaged: FaceNetwork | None


def fit(
    network: FaceNetwork,
    weighting: Weighting,
    dataset: CropDataset,
    params: FitParams,
    *,
    losses: dict[str, LossParams],
    frozen: set[str],
    weighting_optimizer: WeightingOptimizer | None,
    accelerator: str,
    num_workers: int,
    on_step: Callable[[dict[str, float]], None] = lambda row: None,
    title: str = "train",
) -> Fitted:
    """Train a network in place.

    Args:
        dataset: its labels in the order of the network's tasks.
        losses: by task.
        frozen: parts whose batch norm keeps its statistics, see `FaceNetwork.set_training`.
        weighting_optimizer: None for a weighting without a loss of its own.
        accelerator: `auto`, `cpu` or `cuda`.
        on_step: called with every row of the trajectory as it is made.
        title: names the progress bar.
    Raises:
        NonFiniteLossError: a task loss became NaN or infinite; the step is not applied.
    """
    fabric = make_fabric(accelerator, precision=params.precision)
    network.to(fabric.device, memory_format=torch.channels_last)
    step = _make_step(network, weighting.to(fabric.device), params, losses, weighting_optimizer, fabric)
    averaged = _moving_average(network, params.ema_decay)
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
                params.optimizer.learning_rate,
                schedule=params.optimizer.schedule,
                step=len(rows),
                num_steps=num_steps,
                epoch=epoch,
            )
            set_learning_rate(step.optimizer, learning_rate)
            step.check = _finite_check(network.tasks, dataset, indices, step=len(rows), learning_rate=learning_rate)
            crops = network.standardize(augment(crops.to(fabric.device), generator))
            labels = labels.to(fabric.device)
            result = step(
                crops.contiguous(memory_format=torch.channels_last),
                {task: labels[:, number] for number, task in enumerate(network.tasks)},
            )
            if averaged is not None:
                averaged.update_parameters(network)
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
        _end_epoch(pd.DataFrame(rows[-len(batches) :]), network, weighting, epoch)
    progress.close()
    trajectory = pd.DataFrame(rows) if rows else empty_trajectory(network.tasks)
    return Fitted(trajectory, None if averaged is None else _with_statistics_of(network, averaged))


def _make_step(
    network: FaceNetwork,
    weighting: Weighting,
    params: FitParams,
    losses: dict[str, LossParams],
    weighting_optimizer: WeightingOptimizer | None,
    fabric: Fabric,
) -> MultiTaskStep:
    """The training step with its optimisers and class centres, on Fabric's device."""
    own = None
    if weighting_optimizer is not None:
        own = make_optimizer(
            weighting_optimizer.name, weighting.parameters(), learning_rate=weighting_optimizer.learning_rate
        )
    return MultiTaskStep(
        network=network,
        weighting=weighting,
        task_losses_of=task_losses_of(network, losses).to(fabric.device),
        optimizer=make_optimizer(
            params.optimizer.name,
            network.parameters(),
            learning_rate=params.optimizer.learning_rate,
            weight_decay=params.optimizer.weight_decay,
            undecayed=weighting.parameters() if weighting.trains_with_network else (),
        ),
        weighting_optimizer=own,
        clip_grad_norm=params.clip_grad_norm,
        autocast=fabric.autocast,
    )


def task_losses_of(network: FaceNetwork, losses: dict[str, LossParams]) -> nn.ModuleDict:
    """A `TaskLoss` for each of a network's tasks."""
    return nn.ModuleDict(
        {
            task: TaskLoss(losses[task], num_features=network.branches[task].num_features, num_classes=num_classes)
            for task, num_classes in network.num_classes.items()
        }
    )


def _moving_average(network: FaceNetwork, decay: float | None) -> AveragedModel | None:
    return None if decay is None else AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay))


def _with_statistics_of(network: FaceNetwork, averaged: AveragedModel) -> FaceNetwork:
    """The averaged network; batch norm's statistics are no weights, and are the trained network's."""
    theirs = dict(averaged.module.named_buffers())
    for name, value in network.named_buffers():
        theirs[name].copy_(value)
    return averaged.module


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


def _end_epoch(epoch_rows: pd.DataFrame, network: FaceNetwork, weighting: Weighting, epoch: int) -> None:
    """Tell the weighting the epoch's mean losses (of steps that had a label), and the user of a dead head."""
    losses = epoch_rows[[f"loss_{task}" for task in network.tasks]]
    means = losses.where(losses.to_numpy() > 0).mean()
    device = next(network.parameters()).device
    weighting.end_epoch(torch.tensor(means.to_numpy(), dtype=torch.float32, device=device))
    if epoch >= 1:
        for task in network.tasks:
            _warn_if_stuck(losses[f"loss_{task}"], task, network.num_classes[task], epoch)


def _warn_if_stuck(losses: pd.Series, task: str, num_classes: int, epoch: int) -> None:
    """Say so when a loss stands at ln(classes): the head answers every class alike, it may be dead."""
    chance, losses = math.log(num_classes), losses[losses > 0]  # a step without a label has loss 0
    if len(losses) and (losses - chance).abs().max() < 1e-3 * chance:
        log.warning(
            "the %s loss stood at ln(%d) = %.3f all through epoch %d: the head gives every class the same logit. Under "
            "head.relu_on_logits a fresh head can die so; set tasks.%s.head.relu_on_logits to false.",
            task,
            num_classes,
            chance,
            epoch,
            task,
        )
