"""Aligned crops as training batches: crops with their labels, the order of the samples, and crops kept in memory."""

import math
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dwmtl.crops.aligned import read_crop
from dwmtl.errors import ProtocolError
from dwmtl.training.distribution import num_processes, process_number
from dwmtl.training.losses import NO_LABEL


class CropDataset(Dataset):
    """Crops with the labels of T tasks.

    Args:
        paths: N files of RGB pictures, all of one size.
        labels: a task's name -> (N,) class indices, or (N, K) where its kind is another, see `network.task_kind`.
    An item is (crop (3, H, W) uint8, the labels by task, the item's index).
    """

    def __init__(self, paths: list[Path], labels: dict[str, np.ndarray]):
        self.paths = [str(path) for path in paths]
        self.labels = {task: torch.from_numpy(np.array(values)) for task, values in labels.items()}
        self._kept: Tensor | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor], int]:
        labels = {task: values[index] for task, values in self.labels.items()}
        return self._crop(index).permute(2, 0, 1), labels, index

    def keep_in_memory(self, most_bytes: int, *, is_shared: bool) -> bool:
        """Decode each crop once and keep it, if all of them fit.

        Args:
            is_shared: other processes load the crops, and are to share the memory.
        Returns:
            Whether they fit.
        """
        self._kept = None
        shape = (len(self), *read_crop(self.paths[0]).shape) if self.paths else (0,)
        if not 0 < math.prod(shape) <= min(most_bytes, _shared_bytes() if is_shared else most_bytes):
            return False
        self._kept, self._is_kept = torch.empty(shape, dtype=torch.uint8), torch.zeros(len(self), dtype=torch.bool)
        if is_shared:
            self._kept.share_memory_()
            self._is_kept.share_memory_()
        return True

    def _crop(self, index: int) -> Tensor:
        """(H, W, 3) uint8."""
        if self._kept is None:
            return torch.from_numpy(read_crop(self.paths[index]))
        if not self._is_kept[index]:
            self._kept[index] = torch.from_numpy(read_crop(self.paths[index]))
            self._is_kept[index] = True
        return self._kept[index]


def _shared_bytes() -> int:
    """Free for memory that processes share; in a container often little."""
    try:
        return shutil.disk_usage("/dev/shm").free
    except FileNotFoundError:
        return sys.maxsize  # no such limit on this system


def _ignore_signals(worker: int) -> None:
    """Let the main process handle signals: a worker killed by one would end the training before it has saved."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


class ShuffledBatches:
    """Batches of one epoch after the other; the order of an epoch depends on the seed and the epoch's number only.

    The samples left over at the end of an epoch are not used in it: every batch has the same size. In a process group
    each process gets its part of every batch, as one process with the whole would have it.

    Args:
        balanced: (N,), classes of the samples; an epoch then draws its samples with replacement, each class as often as
            every other, see `balanced_weights`. None: every sample once.
    """

    def __init__(
        self,
        dataset: CropDataset,
        *,
        batch_size: int,
        seed: int,
        num_workers: int,
        pin_memory: bool,
        balanced: Tensor | None = None,
    ):
        self.batch_size = min(batch_size, len(dataset)) // num_processes() * num_processes()
        if not self.batch_size:
            raise ProtocolError(f"{len(dataset)} crops to train on, and {num_processes()} processes. Train with fewer.")
        self._num_samples = len(dataset)
        self._seed = seed
        self._weights = None if balanced is None else balanced_weights(balanced)
        self._order: list[list[int]] = []
        self._loader = DataLoader(
            dataset,
            batch_sampler=self._order,
            num_workers=num_workers,
            pin_memory=pin_memory,
            worker_init_fn=_ignore_signals,
        )

    def __len__(self) -> int:
        return self._num_samples // self.batch_size

    @property
    def part(self) -> slice:
        """This process's samples of a batch."""
        size = self.batch_size // num_processes()
        return slice(process_number() * size, (process_number() + 1) * size)

    def epoch(self, number: int, *, start: int = 0) -> Iterator[tuple[Tensor, dict[str, Tensor], Tensor]]:
        """Batches from the `start`th on: crops (B, 3, H, W) uint8, labels by task, indices (B,)."""
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + number)
        if self._weights is None:
            samples = torch.randperm(self._num_samples, generator=generator)[: len(self) * self.batch_size]
        else:
            samples = self._weights.multinomial(len(self) * self.batch_size, replacement=True, generator=generator)
        batches = samples.view(len(self), self.batch_size)[start:, self.part]
        self._order[:] = batches.tolist()
        return iter(self._loader)


def balanced_weights(classes: Tensor) -> Tensor:
    """How often samples are to be drawn, (N,), proportional: each class as often as every other.

    Samples without a label, NO_LABEL, are drawn as often as they are.

    Args:
        classes: (N,) class indices or NO_LABEL.
    """
    kinds, kind, counts = classes.unique(return_inverse=True, return_counts=True)
    has_label = kinds != NO_LABEL
    share = counts[has_label].sum() / has_label.sum()  # samples that a class would have
    return torch.where(has_label, share / counts, 1.0)[kind]
