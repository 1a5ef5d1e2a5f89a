"""The training loop: epochs of steps over crops, recorded, resumable, and stopped when a loss is no number."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils._triton import has_triton
from tqdm import tqdm

from dwmtl.errors import InterruptedTrainingError, ModelFileError, NonFiniteLossError
from dwmtl.network.network import FaceNetwork
from dwmtl.training.augmentation import Augmentation
from dwmtl.training.batch_norm import synchronize_batch_norm
from dwmtl.training.checkpoint import Checkpoint, StopSignal, training_key
from dwmtl.training.crops import CropDataset, ShuffledBatches
from dwmtl.training.distribution import (
    any_process,
    gather_samples,
    is_alike,
    num_processes,
    process_number,
    wait_for_all,
)
from dwmtl.training.losses import TaskLoss
from dwmtl.training.optimizers import make_optimizer, scheduled, set_learning_rate
from dwmtl.training.params import ComputeParams, FitParams, LossParams
from dwmtl.training.state import TrainingState, moving_average, skipped_step
from dwmtl.training.step import MultiTaskStep, StepResult
from dwmtl.training.trajectory import empty_trajectory, trajectory_row
from dwmtl.training.validation import Validation, validation_table
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
        validation: a row an epoch (see `training.validation`); none without validation subjects.
        best: the network after the epoch that was best on the validation subjects; None without any.
        best_epoch: that epoch, from 0.
        num_skipped: steps that were not applied, as a loss was no number.
    """

    trajectory: pd.DataFrame
    averaged: FaceNetwork | None
    validation: pd.DataFrame
    best: FaceNetwork | None
    best_epoch: int | None
    num_skipped: int


def fit(
    network: FaceNetwork,
    weighting: Weighting,
    dataset: CropDataset,
    params: FitParams,
    *,
    losses: dict[str, LossParams],
    frozen: set[str],
    weighting_optimizer: WeightingOptimizer | None,
    compute: ComputeParams,
    fabric: Fabric,
    facts: object = None,
    validation: Validation | None = None,
    checkpoint_dir: Path | None = None,
    on_step: Callable[[dict[str, float]], None] = lambda row: None,
    title: str = "train",
) -> Fitted:
    """Train a network in place. Every process of a training calls this with the same arguments.

    Args:
        dataset: its labels in the order of the network's tasks.
        losses: by task.
        frozen: parts whose batch norm keeps its statistics, see `FaceNetwork.set_training`.
        weighting_optimizer: None for a weighting without a loss of its own.
        fabric: launched, see `compute.launch`.
        facts: what else makes this training what it is (the network's settings, say), as JSON holds it: it does not go
            on from what another one saved.
        validation: people to choose the best epoch by; None: none is chosen.
        checkpoint_dir: a training that was interrupted goes on from what it saved here; None: nothing is saved.
        on_step: called with every row of the trajectory as it is made, also with those of a training that goes on.
        title: names the progress bar.
    Raises:
        NonFiniteLossError: a loss or gradient became NaN or infinite, and `params.on_non_finite` is `stop`; the step is
            not applied, and the state and the batch are kept in `checkpoint_dir`.
        InterruptedTrainingError: SIGTERM or SIGINT came; the state is saved. (Without a `checkpoint_dir` they do what
            they always do.)
    """
    key = _key(network, weighting, dataset, params, losses, frozen, weighting_optimizer, validation, facts)
    checkpoint = Checkpoint(checkpoint_dir, key=key, interval_s=compute.checkpoint_interval_s)
    network.to(fabric.device, memory_format=torch.channels_last)
    if num_processes() > 1:
        synchronize_batch_norm(network)
    step = _make_step(network, weighting.to(fabric.device), params, losses, weighting_optimizer, fabric)
    if compute.compile == "on" or (compute.compile == "auto" and fabric.device.type == "cuda" and has_triton()):
        step.compile()
    state = TrainingState(step, moving_average(network, params.ema_decay))
    _go_on(state, checkpoint, fabric, on_step)
    dataset.keep_in_memory(int(compute.crop_cache_gib * 2**30), is_shared=compute.num_workers > 0)
    batches = ShuffledBatches(
        dataset,
        batch_size=params.batch_size,
        seed=params.seed,
        num_workers=compute.num_workers,
        pin_memory=fabric.device.type == "cuda",
    )
    loop = _Loop(state, dataset, batches, params, frozen, weighting_optimizer, fabric, validation, checkpoint, on_step)
    with StopSignal(is_heeded=checkpoint_dir is not None) as stop, loop.progress(title) as progress:
        loop.run(stop, progress)
    best = state.best_row
    return Fitted(
        trajectory=pd.DataFrame(state.rows) if state.rows else empty_trajectory(network.tasks),
        averaged=state.averaged_network(),
        validation=validation_table(state.validated),
        best=state.best,
        best_epoch=None if best is None else int(best["epoch"]),
        num_skipped=state.num_skipped,
    )


def _go_on(state: TrainingState, checkpoint: Checkpoint, fabric: Fabric, on_step: Callable) -> None:
    """Go back to what an interrupted training saved, if it did."""
    saved = checkpoint.load()
    if not is_alike(-1 if saved is None else len(saved["rows"]), fabric.device):
        raise ModelFileError(
            f"the processes do not see the same {checkpoint.folder}. Put it on a disk that all share, or delete it."
        )
    if saved is not None:
        state.load_state_dict(saved)
        log.info("goes on from %s, after step %d.", checkpoint.folder, len(state.rows) - 1)
        for row in state.rows:
            on_step(row)


@dataclass
class _Loop:
    """What stands still while `state` moves."""

    state: TrainingState
    dataset: CropDataset
    batches: ShuffledBatches
    params: FitParams
    frozen: set[str]
    weighting_optimizer: WeightingOptimizer | None
    fabric: Fabric
    validation: Validation | None
    checkpoint: Checkpoint
    on_step: Callable[[dict[str, float]], None]

    def __post_init__(self):
        self.network = self.state.step.network
        self.num_steps = self.params.num_epochs * len(self.batches)
        self.augment = Augmentation(**self.params.augment.model_dump())
        self.statistics = list(self.network.buffers())
        self.statistics_before = [value.clone() for value in self.statistics]

    def progress(self, title: str) -> tqdm:
        """In photos; of the first process alone."""
        size = self.batches.batch_size
        done, there = len(self.state.rows) * size, self.num_steps * size
        return tqdm(total=there, initial=done, desc=title, unit="img", disable=True if process_number() else None)

    def run(self, stop: StopSignal, progress: tqdm) -> None:
        """From where the state stands to the last epoch's end."""
        self.network.set_training(frozen=self.frozen)
        while len(self.state.rows) < self.num_steps:
            epoch, start = divmod(len(self.state.rows), len(self.batches))
            for crops, labels, indices in self.batches.epoch(epoch, start=start):
                self._step(crops, labels, indices, epoch)
                progress.update(self.batches.batch_size)
                if len(self.state.rows) % len(self.batches) == 0:
                    self._end_epoch(epoch)
                self._save_or_stop(stop)

    def _step(self, crops: Tensor, labels: Tensor, indices: Tensor, epoch: int) -> None:
        """One step on this process's part of a batch, and its row."""
        number, step, device = len(self.state.rows), self.state.step, self.fabric.device
        learning_rate = scheduled(
            self.params.optimizer.learning_rate,
            schedule=self.params.optimizer.schedule,
            step=number,
            num_steps=self.num_steps,
            epoch=epoch,
        )
        set_learning_rate(step.optimizer, learning_rate)
        generator = _seed_step(self.params.seed, number)
        crops = self.augment(
            crops.to(device, non_blocking=True), generator, of=self.batches.batch_size, part=self.batches.part
        )
        crops = self.network.standardize(crops).contiguous(memory_format=torch.channels_last)
        labels = labels.to(device, non_blocking=True)
        by_task = {task: labels[:, index] for index, task in enumerate(self.network.tasks)}
        torch._foreach_copy_(self.statistics_before, self.statistics)  # the forward pass moves batch norm's
        try:
            result = step(crops, by_task)
        except NonFiniteLossError as error:
            torch._foreach_copy_(self.statistics, self.statistics_before)
            result = self._not_applied(error, crops, by_task, indices, learning_rate)
        else:
            if self.state.averaged is not None:
                self.state.averaged.update_parameters(self.network)
        row = trajectory_row(
            result,
            step=number,
            epoch=epoch,
            tasks=self.network.tasks,
            learning_rate=learning_rate,
            weighting_learning_rate=self.weighting_optimizer and self.weighting_optimizer.learning_rate,
        )
        self.state.rows.append(row)
        self.on_step(row)

    def _not_applied(
        self, error: NonFiniteLossError, crops: Tensor, labels: dict[str, Tensor], indices: Tensor, learning_rate: float
    ) -> StepResult:
        """A step that gave no number: skipped and counted, or the end, with all that is needed to look at it."""
        number = len(self.state.rows)
        if self.params.on_non_finite == "skip":
            log.warning("step %d is skipped: %s", number, error)
            return skipped_step(len(self.network.tasks))
        crops, indices = gather_samples(crops), gather_samples(indices.to(crops.device))  # of all processes
        labels = {task: gather_samples(values).cpu() for task, values in labels.items()}
        files = [self.dataset.paths[index] for index in indices.tolist()]
        kept = None
        if process_number() == 0:
            batch = {"crops": crops.cpu(), "labels": labels, "files": files}
            kept = self.checkpoint.save_non_finite({"state": self.state.state_dict(), "batch": batch})
        wait_for_all()
        raise NonFiniteLossError(
            f"at step {number}: {error} The step was not applied (learning rate {learning_rate:g}). Lower "
            "optimizer.learning_rate or clip_grad_norm, set precision to 32-true or on_non_finite to skip, or look at "
            f"the batch's {len(files)} crops, from {files[0]}: {' '.join(files[1:4])} ..."
            + (f" The state before the step, and the batch, are in {kept}." if kept else "")
        ) from None

    def _end_epoch(self, epoch: int) -> None:
        """Tell the weighting the epoch's mean losses, the user of a dead head, and see what the network is worth."""
        rows = pd.DataFrame(self.state.rows[-len(self.batches) :])
        if not rows["grad_norm"].notna().any():
            raise NonFiniteLossError(f"every step of epoch {epoch} was skipped. Lower optimizer.learning_rate.")
        _tell_epoch(rows, self.network, self.state.step.weighting, epoch)
        if self.validation is not None:
            self.state.validate({"epoch": epoch, **self.validation.score(self.network, self.fabric.device)})
            self.network.set_training(frozen=self.frozen)

    def _save_or_stop(self, stop: StopSignal) -> None:
        """Save when it is time to, or when asked to stop; the processes stop at the same step."""
        asked = any_process(stop.name is not None, self.fabric.device)
        if process_number() == 0 and (asked or self.checkpoint.is_due):
            self.checkpoint.save(self.state.state_dict())
        if asked:
            wait_for_all()
            raise InterruptedTrainingError(
                f"{stop.name or 'a signal to another process'} after step {len(self.state.rows) - 1} of "
                f"{self.num_steps}: the training is saved in {self.checkpoint.folder}. Run `dvc repro` again; it goes "
                "on from there."
            )


def _seed_step(seed: int, number: int) -> torch.Generator:
    """Seed a step's random numbers: dropout's, drawn a process, and by the returned generator the augmentation's."""
    drawn = seed * 1_000_003 + number
    torch.manual_seed(4099 * drawn + 1 + process_number())
    return torch.Generator().manual_seed(4099 * drawn)


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
        check=_finite_check(network.tasks),
    )


def task_losses_of(network: FaceNetwork, losses: dict[str, LossParams]) -> nn.ModuleDict:
    """A `TaskLoss` for each of a network's tasks."""
    return nn.ModuleDict(
        {
            task: TaskLoss(losses[task], num_features=network.branches[task].num_features, num_classes=num_classes)
            for task, num_classes in network.num_classes.items()
        }
    )


def _key(
    network: FaceNetwork,
    weighting: Weighting,
    dataset: CropDataset,
    params: FitParams,
    losses: dict[str, LossParams],
    frozen: set[str],
    weighting_optimizer: WeightingOptimizer | None,
    validation: Validation | None,
    facts: object,
) -> str:
    """What makes this training what it is."""
    facts = {
        "facts": facts,
        "params": params.model_dump(),
        "losses": {task: values.model_dump() for task, values in losses.items()},
        "frozen": sorted(frozen),
        "weighting": [type(weighting).__name__, str(weighting_optimizer)],  # its settings are in `params`
    }
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"weighting.{name}": value for name, value in weighting.state_dict().items()}
    tensors["labels"] = dataset.labels
    if validation:
        tensors["validation_labels"] = validation.dataset.labels
    return training_key(facts, tensors, [*dataset.paths, *(validation.dataset.paths if validation else [])])


def _finite_check(tasks: tuple[str, ...]) -> Callable[[Tensor], None]:
    """A check of the task losses that says which of them is no number."""

    def check(task_losses: Tensor) -> None:
        if not bool(torch.isfinite(task_losses).all()):
            losses = ", ".join(f"{task} {loss}" for task, loss in zip(tasks, task_losses.tolist(), strict=True))
            raise NonFiniteLossError(f"a loss is no finite number ({losses}).")

    return check


def _tell_epoch(epoch_rows: pd.DataFrame, network: FaceNetwork, weighting: Weighting, epoch: int) -> None:
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
