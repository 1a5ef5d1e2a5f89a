"""The training loop: epochs of steps over crops, recorded, resumable, and stopped when a loss is not finite."""

import logging
import math
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor
from torch.utils._triton import has_triton

from dwmtl.errors import InterruptedTrainingError, ModelFileError, NonFiniteLossError
from dwmtl.network.classes import Classes
from dwmtl.network.network import FaceNetwork
from dwmtl.progress import Progress
from dwmtl.training.augmentation import Augmentation
from dwmtl.training.batch_norm import synchronize_batch_norm
from dwmtl.training.checkpoint import Checkpoint, StopSignal
from dwmtl.training.compute import Execution, precision_of
from dwmtl.training.core_watch import CoreWatch
from dwmtl.training.crops import ShuffledBatches
from dwmtl.training.distribution import (
    any_process,
    gather_samples,
    is_alike,
    num_processes,
    process_number,
    wait_for_all,
)
from dwmtl.training.optimizers import scheduled, set_learning_rate
from dwmtl.training.sharded_heads import shard_heads
from dwmtl.training.state import TrainingState, moving_average, skipped_step
from dwmtl.training.step import StepResult
from dwmtl.training.training import Training
from dwmtl.training.trajectory import empty_trajectory, epoch_summary, trajectory_row
from dwmtl.training.validation import validation_table
from dwmtl.weighting.weighting import Weighting

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitted:
    """What a training leaves beside the network that it trained in place.

    Attributes:
        trajectory: a row per step (see `training.trajectory`).
        averaged: the network with the moving average of the weights, None where none was kept.
        validation: a row per epoch (see `training.validation`); none without validation subjects.
        best: the network after the epoch that was best on the validation subjects; None without any.
        best_epoch: that epoch, from 0.
        num_skipped: steps that were not applied, as a loss or gradient was not finite.
    """

    trajectory: pd.DataFrame
    averaged: FaceNetwork | None
    validation: pd.DataFrame
    best: FaceNetwork | None
    best_epoch: int | None
    num_skipped: int


def fit(training: Training, execution: Execution) -> Fitted:
    """Train a network in place. Every process of a training calls this with the same arguments.

    Raises:
        NonFiniteLossError: a loss or gradient became NaN or infinite, and `params.on_non_finite` is `stop`; the step is
            not applied, and the state and the batch are kept in `checkpoint_dir`.
        InterruptedTrainingError: SIGTERM or SIGINT came; the state is saved. Only with a `checkpoint_dir`.
    """
    checkpoint = Checkpoint(
        execution.checkpoint_dir,
        key=training.key(precision=precision_of(execution.fabric)),
        interval_s=execution.compute.checkpoint_interval_s,
    )
    state = _initial_state(training, execution)
    _resume(state, checkpoint, execution)
    loop = _Loop(training, execution, state, checkpoint)
    with StopSignal(is_heeded=execution.checkpoint_dir is not None) as stop, loop.progress() as progress:
        loop.run(stop, progress)
    state.join_heads()
    best = state.best_row
    none = empty_trajectory(training.network.tasks, has_keep_loss=training.keep > 0)
    return Fitted(
        trajectory=pd.DataFrame(state.rows) if state.rows else none,
        averaged=state.averaged_network(),
        validation=validation_table(state.validated),
        best=state.best,
        best_epoch=None if best is None else int(best["epoch"]),
        num_skipped=state.num_skipped,
    )


def _initial_state(training: Training, execution: Execution) -> TrainingState:
    """The state before the first step, on the device, compiled where `compute.compile` asks for it."""
    network, device, mode = training.network, execution.fabric.device, execution.compute.compile
    shard_heads(network)  # before a device has to hold all of them
    network.to(device).to(memory_format=torch.channels_last)
    if num_processes() > 1:
        synchronize_batch_norm(network)
    step = training.make_step(execution.fabric)
    if mode == "on" or (mode == "auto" and device.type == "cuda" and has_triton()):
        step.compile()
    return TrainingState(step, moving_average(network, training.params.ema_decay))


def _resume(state: TrainingState, checkpoint: Checkpoint, execution: Execution) -> None:
    """Load the state that an interrupted training saved, if there is one."""
    saved = checkpoint.load()
    if not is_alike(-1 if saved is None else len(saved["rows"]), execution.fabric.device):
        raise ModelFileError(
            f"the processes do not see the same {checkpoint.folder}. Put it on a disk that all share, or delete it."
        )
    if saved is not None:
        state.load_state_dict(saved)
        log.info("resuming from %s after step %d.", checkpoint.folder, len(state.rows) - 1)
        for row in state.rows:
            execution.on_step(row)


def _batches(training: Training, execution: Execution) -> ShuffledBatches:
    """The training's batches; crops that fit into memory are kept there."""
    compute = execution.compute
    training.dataset.keep_in_memory(int(compute.crop_cache_gib * 2**30), is_shared=compute.num_loader_workers > 0)
    return ShuffledBatches(
        training.dataset,
        batch_size=training.params.batch_size,
        seed=training.params.seed,
        num_workers=compute.num_loader_workers,
        pin_memory=execution.fabric.device.type == "cuda",
        balanced=None if training.balanced_task is None else training.dataset.labels[training.balanced_task],
    )


class _Loop:
    """Steps and epochs of a training; all that changes is in `state`."""

    def __init__(self, training: Training, execution: Execution, state: TrainingState, checkpoint: Checkpoint):
        self.training, self.params, self.network = training, training.params, training.network
        self.execution, self.device = execution, execution.fabric.device
        self.state, self.checkpoint = state, checkpoint
        self.batches = _batches(training, execution)
        self.cores = CoreWatch()
        self.num_steps = self.params.num_epochs * len(self.batches)
        self.augment = Augmentation(**self.params.augment.model_dump())
        self.statistics = list(self.network.buffers())
        self.statistics_before = [value.clone() for value in self.statistics]

    def progress(self) -> Progress:
        """A bar over the photos, shown by the first process alone."""
        size = self.batches.batch_size
        return Progress(
            total=self.num_steps * size,
            initial=len(self.state.rows) * size,
            desc=self.execution.title,
            unit="img",
            disable=process_number() > 0,
        )

    def run(self, stop: StopSignal, progress: Progress) -> None:
        """Step from where the state stands to the end of the last epoch."""
        while len(self.state.rows) < self.num_steps:
            epoch, start = divmod(len(self.state.rows), len(self.batches))
            self._begin_epoch(epoch)
            for crops, labels, indices in self.batches.epoch(epoch, start=start):
                self._step(crops, labels, indices, epoch)
                progress.update(self.batches.batch_size)
                if self.device.type == "cpu" and process_number() == 0:
                    self.cores.look()
                if len(self.state.rows) % len(self.batches) == 0:
                    self._end_epoch(epoch)
                self._save_or_stop(stop)

    def _begin_epoch(self, epoch: int) -> None:
        """Set what trains in it; a part that does not is in inference mode."""
        self.network.set_training(frozen=self.training.frozen)
        parts = self.training.untrained_parts(epoch)
        for part in parts:
            part.eval()
        self.state.step.untrained = frozenset(parameter for part in parts for parameter in part.parameters())

    def _step(self, crops: Tensor, labels: dict[str, Tensor], indices: Tensor, epoch: int) -> None:
        """One step on this process's part of a batch, and its row."""
        number, step = len(self.state.rows), self.state.step
        learning_rate = scheduled(
            self.params.optimizer.learning_rate,
            schedule=self.params.optimizer.schedule,
            step=number,
            num_steps=self.num_steps,
            epoch=epoch,
            warmup_fraction=self.params.optimizer.warmup_fraction,
        )
        set_learning_rate(step.optimizer, learning_rate)
        generator = _seed_step(self.params.seed, number)
        crops = self.augment(
            crops.to(self.device, non_blocking=True), generator, of=self.batches.batch_size, part=self.batches.part
        )
        crops = self.network.standardize(crops).contiguous(memory_format=torch.channels_last)
        labels = {task: values.to(self.device, non_blocking=True) for task, values in labels.items()}
        torch._foreach_copy_(self.statistics_before, self.statistics)  # the forward pass moves batch norm's
        try:
            result = step(crops, labels, generator)
        except NonFiniteLossError as error:
            torch._foreach_copy_(self.statistics, self.statistics_before)
            result = self._not_applied(error, crops, labels, indices, learning_rate)
        else:
            if self.state.averaged is not None:
                self.state.averaged.update_parameters(self.network)
        unit = self.training.weighting_optimizer
        row = trajectory_row(
            result,
            step=number,
            epoch=epoch,
            tasks=self.network.tasks,
            learning_rate=learning_rate,
            weighting_learning_rate=None if unit is None else unit.learning_rate,
        )
        self.state.rows.append(row)
        self.execution.on_step(row)

    def _not_applied(
        self, error: NonFiniteLossError, crops: Tensor, labels: dict[str, Tensor], indices: Tensor, learning_rate: float
    ) -> StepResult:
        """Handle a step whose loss or gradient is not finite: skip and count it, or save the batch and raise."""
        number = len(self.state.rows)
        if self.params.on_non_finite == "skip":
            log.warning("skipped step %d: %s", number, error)
            return skipped_step(len(self.network.tasks), has_keep_loss=self.training.keep > 0)
        crops, indices = gather_samples(crops), gather_samples(indices.to(crops.device))  # of all processes
        labels = {task: gather_samples(values).cpu() for task, values in labels.items()}
        files = [self.training.dataset.paths[index] for index in indices.tolist()]
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
        """Give the weighting the epoch's mean losses, warn of a dead head, score the validation subjects."""
        rows = pd.DataFrame(self.state.rows[-len(self.batches) :])
        if not rows["grad_norm"].notna().any():
            raise NonFiniteLossError(f"every step of epoch {epoch} was skipped. Lower optimizer.learning_rate.")
        _report_epoch(rows, self.network, self.training.weighting, epoch)
        score = {}
        if self.training.validation is not None:
            score = self.training.validation.score(self.network, self.device)
            self.state.validate({"epoch": epoch, **score})
        if process_number() == 0:
            summary = epoch_summary(rows, self.network.tasks, score)
            log.info("%s: epoch %d of %d: %s", self.execution.title, epoch + 1, self.params.num_epochs, summary)

    def _save_or_stop(self, stop: StopSignal) -> None:
        """Save when the interval has passed or a signal came; after a signal, all processes stop at the same step."""
        asked = any_process(stop.name is not None, self.device)
        if asked or any_process(process_number() == 0 and self.checkpoint.is_due, self.device):
            self.checkpoint.save(self.state.state_dict())
        if asked:
            wait_for_all()
            raise InterruptedTrainingError(
                f"{stop.name or 'a signal to another process'} after step {len(self.state.rows) - 1} of "
                f"{self.num_steps}: the training is saved in {self.checkpoint.folder}. Run `dvc repro` again to resume "
                "it."
            )


def _seed_step(seed: int, number: int) -> torch.Generator:
    """Seed a step: torch for dropout, which differs between processes, and the returned generator, the same in all.

    The augmentation draws from the generator, then the weighting.
    """
    drawn = seed * 1_000_003 + number
    torch.manual_seed(4099 * drawn + 1 + process_number())
    return torch.Generator().manual_seed(4099 * drawn)


def _report_epoch(epoch_rows: pd.DataFrame, network: FaceNetwork, weighting: Weighting, epoch: int) -> None:
    """Give the weighting the epoch's mean losses, over the steps that had a label, and warn of a dead head."""
    losses = epoch_rows[[f"loss_{task}" for task in network.tasks]]
    means = losses.where(losses.to_numpy() > 0).mean()
    device = next(network.parameters()).device
    weighting.end_epoch(torch.tensor(means.to_numpy(), dtype=torch.float32, device=device))
    if epoch >= 1:
        for task, kind in network.kinds.items():
            if isinstance(kind, Classes):  # the heads of other kinds have no ReLU that could die
                _warn_if_stuck(losses[f"loss_{task}"], task, network.num_outputs[task], epoch)


def _warn_if_stuck(losses: pd.Series, task: str, num_classes: int, epoch: int) -> None:
    """Warn when a loss stands at ln(classes): the head gives every class the same logit."""
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
