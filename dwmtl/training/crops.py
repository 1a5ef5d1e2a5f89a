"""Aligned crops as training batches: which crop belongs to a labelled photo, decoding, and the order of the samples."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dwmtl.errors import TableError
from dwmtl.tables import CROPS, read_table


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
        return read_crop(self.paths[index]), self.labels[index], index


def read_crop(path: Path | str) -> Tensor:
    """A crop's file -> (3, S, S) uint8, RGB."""
    with Image.open(path) as picture:
        return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)


def crop_paths(aligned_dir: Path, photos: pd.Series, *, status: tuple[str, ...]) -> pd.Series:
    """The crop's file of each photo, in the photos' order; empty where its crop is not of an accepted status.

    Args:
        aligned_dir: an output folder of the stage `align`.
        photos: as in the manifest.
        status: accepted values of `tables.STATUSES`.
    Raises:
        TableError: a photo was never aligned.
    """
    crops = read_table(Path(aligned_dir) / "crops.csv", CROPS).set_index("photo")
    missing = photos[~photos.isin(crops.index)]
    if len(missing):
        raise TableError(f"{aligned_dir}/crops.csv: no row for photo {missing.iloc[0]}. Run `dvc repro align`.")
    rows = crops.loc[photos]
    accepted = rows["status"].isin(status).to_numpy()
    return pd.Series(np.where(accepted, rows["crop"].to_numpy(), ""), index=photos.index)


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
