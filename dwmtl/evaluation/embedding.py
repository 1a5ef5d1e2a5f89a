"""A network run over crops in batches: embeddings, and the answers of its tasks."""

from collections.abc import Iterator, Sized
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from dwmtl.crops.aligned import read_crop
from dwmtl.device import autocast, device_of
from dwmtl.errors import ProtocolError
from dwmtl.network.network import FaceNetwork
from dwmtl.progress import Progress


@dataclass(frozen=True)
class Answers:
    """The network's predictions for N crops.

    Attributes:
        embeddings: (N, D) float32, unit length; D is twice the network's where the mirrored crop's is appended.
        of_tasks: a task's name -> (N, its outputs) float32, as its kind answers them: probabilities, of classes in rows
            that sum to 1, or values; those of the crop, not of its mirror.
    """

    embeddings: np.ndarray
    of_tasks: dict[str, np.ndarray]


@dataclass(frozen=True)
class Answered:
    """The network's predictions for a set's crops, by photo.

    Attributes:
        photos: the N photos, each once.
        answers: predictions in the order of the photos.
        is_fallback: (N,) bool, whether no face was found and the photo's centre was cropped.
    """

    photos: pd.Index
    answers: Answers
    is_fallback: np.ndarray

    def of_task(self, task: str, photos: pd.Series) -> np.ndarray:
        """(N, outputs), the answers of a task for N photos. Raises as `rows`."""
        return self.answers.of_tasks[task][self.rows(photos)]

    def rows(self, photos: pd.Series) -> np.ndarray:
        """Rows of photos.

        Raises:
            ProtocolError: a photo has no crop; every pair must be scored.
        """
        rows = self.photos.get_indexer(photos)
        if (rows < 0).any():
            raise ProtocolError(
                f"photo {photos.iloc[int(np.argmin(rows))]} has no crop, and every pair must be scored."
            )
        return rows


class CropFiles(Dataset):
    """Crops that the stage `align` wrote, all of one size: (3, H, W) uint8; `is_mirrored`: flipped left to right."""

    def __init__(self, paths: list[Path], *, is_mirrored: bool = False):
        self._paths = paths
        self._is_mirrored = is_mirrored

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> Tensor:
        crop = torch.from_numpy(read_crop(self._paths[index])).permute(2, 0, 1)
        return crop.flip(-1) if self._is_mirrored else crop


def embed(
    network: FaceNetwork,
    crops: Dataset,
    *,
    flip: str,
    batch_size: int,
    accelerator: str,
    num_workers: int,
    title: str,
    precision: str = "32-true",
) -> Answers:
    """Run a network over crops, see `embed_batches`; all answers are in memory."""
    parts = list(
        embed_batches(
            network,
            crops,
            flip=flip,
            batch_size=batch_size,
            accelerator=accelerator,
            num_workers=num_workers,
            title=title,
            precision=precision,
        )
    )
    return Answers(
        np.concatenate([part.embeddings for part in parts]),
        {task: np.concatenate([part.of_tasks[task] for part in parts]) for task in network.tasks},
    )


def embed_batches(
    network: FaceNetwork,
    crops: Dataset,
    *,
    flip: str,
    batch_size: int,
    accelerator: str,
    num_workers: int,
    title: str,
    precision: str = "32-true",
) -> Iterator[Answers]:
    """Run a network, in inference mode, over crops, and yield the answers batch by batch.

    Args:
        crops: the N crops, each once: (3, H, W), 0..255, RGB.
        flip: how the mirrored crop's embedding is used: `none`; `concatenate` (facenet); `sum` (insightface).
        accelerator: `auto`, `cpu` or `cuda`.
        title: names the progress bar.
        precision: of the network's convolutions and products: `32-true`, `bf16-mixed`, or `auto`, the faster one.
    """
    device = device_of(accelerator, asked_by="compute.accelerator")
    network = network.eval().to(device).to(memory_format=torch.channels_last)
    loader = DataLoader(crops, batch_size, num_workers=num_workers)
    assert isinstance(crops, Sized)  # torch's Dataset declares no length
    with Progress(total=len(crops), desc=title, unit="img") as progress:
        for batch in loader:
            yield _answers(network, batch.to(device), flip=flip, precision=precision)
            progress.update(len(batch))


@torch.inference_mode()
def _answers(network: FaceNetwork, crops: Tensor, *, flip: str, precision: str) -> Answers:
    inputs = network.standardize(crops).contiguous(memory_format=torch.channels_last)
    with autocast(crops.device, precision):
        output = network(inputs)
        mirrored = None if flip == "none" else network(inputs.flip(-1)).embedding
    return Answers(
        combine(output.embedding, mirrored, flip=flip).cpu().numpy(),
        {task: network.kinds[task].answers(logits).cpu().numpy() for task, logits in output.logits.items()},
    )


def combine(embedding: Tensor, mirrored: Tensor | None, *, flip: str) -> Tensor:
    """Join the embeddings (B, D) of crops and of their mirror images, unit length: (B, 2 D) if `concatenate`."""
    if mirrored is None:
        return embedding
    both = torch.cat([embedding, mirrored], dim=1) if flip == "concatenate" else embedding + mirrored
    return functional.normalize(both, dim=1)
