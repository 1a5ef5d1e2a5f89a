"""The frozen part of a trunk, and what it makes of crops: computed once, it serves all trainings of the comparison."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from dwmtl.crops.aligned import crop_paths
from dwmtl.evaluation.embedding import CropFiles
from dwmtl.network.network import FaceNetwork
from dwmtl.training.crops import CropDataset

BATCH_SIZE = 64


def cut(network: FaceNetwork, num_blocks: int) -> Callable[[Tensor], Tensor]:
    """Take the lowest blocks, and what is before them, out of a network; the rest takes their output for crops.

    Returns:
        The lower part, in inference mode: crops (B, 3, H, W), 0..255 -> (B, C, h, w).
    """
    *before, (_, blocks) = network.trunk.named_children()
    lower = nn.Sequential(*(layer for _, layer in before), *blocks[:num_blocks]).eval()
    network.trunk = blocks[num_blocks:]
    standardize, network.standardize = network.standardize, Tensor.float  # what the lower part gives is no crop
    return lambda crops: lower(standardize(crops))


def crops_of(photos: pd.Series, aligned: Path, *, status: tuple[str, ...]) -> pd.Series:
    """A photo -> the file of its crop; photos without one are left out."""
    unique = pd.Series(sorted(photos.unique()))
    paths = crop_paths(aligned, unique, status=status)
    return pd.Series([aligned / path for path in paths[paths != ""]], index=unique[paths != ""])


def batches(crops: list[Path]) -> Iterator[Tensor]:
    """(B, 3, H, W) uint8."""
    return iter(DataLoader(CropFiles(crops), BATCH_SIZE))


class FeatureDataset(CropDataset):
    """Training samples whose "crops" are the frozen part's output, (C, h, w) float16: each time one of its variants.

    Args:
        paths: the crops' files, by which a training is known.
        features: (M, 1 + variants, C, h, w), the crop as it is and its variants.
        rows: (N,), the samples' rows of `features`.
        seed: of the choice among the variants; None: the crop as it is.
    """

    def __init__(
        self,
        paths: list[Path],
        labels: dict[str, np.ndarray],
        *,
        features: np.ndarray,
        rows: np.ndarray,
        seed: int | None,
    ):
        super().__init__(paths, labels)
        self._features, self._rows = features, rows
        self._choice = None if seed is None else np.random.default_rng(seed)

    def keep_in_memory(self, most_bytes: int, *, is_shared: bool) -> bool:
        """They are there already."""
        return True

    def as_they_are(self, indices: Tensor) -> Tensor:
        """The samples' crops without change, (B, C, h, w) float32."""
        return torch.from_numpy(self._features[self._rows[indices.numpy()], 0]).float()

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor], int]:
        variants = self._features[self._rows[index]]
        number = 0 if self._choice is None else self._choice.integers(1, len(variants))
        labels = {task: values[index] for task, values in self.labels.items()}
        return torch.from_numpy(np.array(variants[number])), labels, index
