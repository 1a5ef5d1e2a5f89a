"""Computes what the frozen part of a data set's trunk makes of its crops, once for all rows of the comparison."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from frozen import BATCH_SIZE, batches, crops_of, cut
from grid import read_yaml
from torch import Tensor

from dwmtl.files import whole_folder
from dwmtl.network.model_file import load_model
from dwmtl.params import load_params
from dwmtl.progress import Progress
from dwmtl.stage import run
from dwmtl.tables import EXPRESSION_LABELS, VERIFICATION_PAIRS, read_table
from dwmtl.training.augmentation import Augmentation

AS_TRAINED, AS_SCORED = ("aligned",), ("aligned", "fallback")


def main(data_set: str, data: Path, out: Path) -> None:
    """Write the features of both sets, float16, and the photos that they are of."""
    grid, params = read_yaml(Path("grid.yaml")), load_params(data / "params.yaml")
    network, _ = load_model(data / "data/models" / params.train.start)
    lower = cut(network, grid["data_sets"][data_set]["num_frozen_blocks"])
    labels = read_table(data / "data/labels/expression.csv", EXPRESSION_LABELS, others_are_text=True)
    pairs = read_table(data / "data/pairs/verification.csv", VERIFICATION_PAIRS)
    augment = Augmentation(**params.train.augment.model_dump())
    with whole_folder(out) as folder:
        faces = crops_of(labels["photo"], data / "data/aligned/expression", status=AS_TRAINED)
        write(features_of(lower, faces, augment, grid["num_variants"]), faces, folder / "expression")
        photos = pd.concat([pairs["photo_a"], pairs["photo_b"]])
        crops = crops_of(photos, data / "data/aligned/verification", status=AS_SCORED)
        write(features_of(lower, crops, augment, 0), crops, folder / "verification")


def features_of(
    lower: Callable[[Tensor], Tensor], crops: pd.Series, augment: Augmentation, num_variants: int
) -> np.ndarray:
    """(N, 1 + num_variants, C, h, w) float16: of each crop as it is, and changed at random."""
    generator, parts = torch.Generator().manual_seed(0), []
    with torch.inference_mode(), Progress(total=len(crops), desc="frozen part", unit="img") as progress:
        for batch in batches(crops.tolist()):
            inputs = [batch, *(augment(batch, generator) for _ in range(num_variants))]
            outputs = [lower(each.contiguous(memory_format=torch.channels_last)) for each in inputs]
            parts.append(torch.stack(outputs, dim=1).half().numpy())
            progress.update(BATCH_SIZE)
    return np.concatenate(parts)


def write(features: np.ndarray, crops: pd.Series, to: Path) -> None:
    np.save(to.with_suffix(".npy"), features)
    crops.rename_axis("photo").rename("crop").to_csv(to.with_suffix(".csv"))


if __name__ == "__main__":
    run(main)
