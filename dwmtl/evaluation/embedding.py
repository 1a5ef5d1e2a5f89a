"""A network run over crops in batches: embeddings and class probabilities."""

from collections.abc import Sized
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from dwmtl.crops.aligned import read_crop
from dwmtl.device import autocast, device_of
from dwmtl.network.network import FaceNetwork
from dwmtl.progress import Progress


@dataclass(frozen=True)
class Answers:
    """The network's predictions for N crops.

    Attributes:
        embeddings: (N, D) float32, unit length; D is twice the network's where the mirrored crop's is appended.
        probabilities: a task's name -> (N, its classes) float32, rows sum to 1; those of the crop, not of its mirror.
    """

    embeddings: np.ndarray
    probabilities: dict[str, np.ndarray]


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
    """Run a network, in inference mode, over crops.

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
    embeddings: list[np.ndarray] = []
    probabilities: dict[str, list[np.ndarray]] = {task: [] for task in network.tasks}
    assert isinstance(crops, Sized)  # torch's Dataset declares no length
    with torch.inference_mode(), Progress(total=len(crops), desc=title, unit="img") as progress:
        for batch in loader:
            inputs = network.standardize(batch.to(device)).contiguous(memory_format=torch.channels_last)
            with autocast(device, precision):
                output = network(inputs)
                mirrored = None if flip == "none" else network(inputs.flip(-1)).embedding
            embeddings.append(combine(output.embedding, mirrored, flip=flip).cpu().numpy())
            for task, logits in output.logits.items():
                probabilities[task].append(logits.softmax(dim=1).cpu().numpy())
            progress.update(len(batch))
    return Answers(np.concatenate(embeddings), {task: np.concatenate(parts) for task, parts in probabilities.items()})


def combine(embedding: Tensor, mirrored: Tensor | None, *, flip: str) -> Tensor:
    """Join the embeddings (B, D) of crops and of their mirror images, unit length: (B, 2 D) if `concatenate`."""
    if mirrored is None:
        return embedding
    both = torch.cat([embedding, mirrored], dim=1) if flip == "concatenate" else embedding + mirrored
    return functional.normalize(both, dim=1)
