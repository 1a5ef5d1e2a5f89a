"""Aligned crops as training batches: crops with their labels, and the order of the samples."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dwmtl.datasets.crops import read_crop


class CropDataset(Dataset):
    """Crops with the labels of T tasks.

    Args:
        paths: N files of S x S RGB pictures.
        labels: a task's name -> (N,) class indices.
    An item is (crop (3, S, S) uint8, labels (T,) int64, the item's index).
    """

    def __init__(self, paths: list[Path], labels: dict[str, np.ndarray]):
        self.paths = [str(path) for path in paths]
        self.labels = torch.from_numpy(np.stack([labels[task] for task in labels], axis=1).astype(np.int64))  # (N, T)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int]:
        return torch.from_numpy(read_crop(self.paths[index])).permute(2, 0, 1), self.labels[index], index


class ShuffledBatches:
    """Batches of one epoch after the other; the order of an epoch depends on the seed and the epoch's number only.

    The samples left over at the end of an epoch are not used in it: every batch has the same size.
    """

    def __init__(self, dataset: CropDataset, *, batch_size: int, seed: int, num_workers: int, pin_memory: bool):
        self.batch_size = min(batch_size, len(dataset))
        self._seed = seed
        self._generator = torch.Generator()
        self._loader = DataLoader(
            dataset,
            self.batch_size,
            shuffle=True,
            drop_last=True,
            generator=self._generator,
            num_workers=num_workers,
            pin_memory=pin_memory,
        )

    def __len__(self) -> int:
        return len(self._loader)

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Batches of (crops (B, 3, S, S) uint8, labels (B, T), indices (B,))."""
        self._generator.manual_seed(self._seed * 1_000_003 + number)
        return iter(self._loader)
