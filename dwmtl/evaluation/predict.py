"""A network run over the crops of photos, each once."""

from pathlib import Path

import pandas as pd

from dwmtl.crops.aligned import crop_paths
from dwmtl.evaluation.embedding import Answered, CropFiles, embed
from dwmtl.network.network import FaceNetwork
from dwmtl.params import Params


def predict(network: FaceNetwork, photos: pd.Series, aligned: Path, params: Params) -> Answered:
    """Run the network over the crops of photos, each once. Photos without a crop are skipped; scoring refuses them."""
    unique = pd.Series(sorted(photos.unique()))
    paths = crop_paths(aligned, unique, status=("aligned", "fallback"))
    faces = crop_paths(aligned, unique, status=("aligned",))
    has_crop = paths != ""
    answers = embed(
        network,
        CropFiles([aligned / path for path in paths[has_crop]]),
        flip=params.evaluate.flip,
        batch_size=params.evaluate.batch_size,
        accelerator=params.compute.accelerator,
        num_workers=params.compute.num_loader_workers,
        title=f"embed {aligned.name}",
        precision=params.evaluate.precision,
    )
    return Answered(pd.Index(unique[has_crop]), answers, (faces[has_crop] == "").to_numpy())
