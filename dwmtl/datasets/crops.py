"""The aligned crops of a set, as the stage `align` leaves them: which crop belongs to a photo, and reading one."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dwmtl.errors import TableError
from dwmtl.tables import CROPS, read_table


def read_crop(path: Path | str) -> np.ndarray:
    """A crop's file -> (S, S, 3) uint8, RGB."""
    with Image.open(path) as picture:
        return np.array(picture.convert("RGB"))


def scale_crop(crop: np.ndarray, crop_px: int) -> np.ndarray:
    """A crop of any size (H, W, 3) -> (crop_px, crop_px, 3) uint8; its aspect is not kept, as when one is cut out."""
    if crop.shape[:2] == (crop_px, crop_px):
        return crop
    return np.array(Image.fromarray(crop).resize((crop_px, crop_px), Image.Resampling.BILINEAR))


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
