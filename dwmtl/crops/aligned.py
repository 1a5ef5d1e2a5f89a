"""The aligned crops of sets, as the stage `align` leaves them: which crop belongs to a photo, and reading one."""

from pathlib import Path

import numpy as np
import pandas as pd

from dwmtl.crops.store import open_crop
from dwmtl.errors import TableError
from dwmtl.tables import CROPS, read_table, set_of


def read_crop(path: Path | str) -> np.ndarray:
    """A crop's file -> (H, W, 3) uint8, RGB."""
    with open_crop(path) as picture:
        return np.array(picture.convert("RGB"))


def read_crops(aligned_dir: Path, names: list[str]) -> pd.DataFrame:
    """The rows of sets' crops, photo and crop beginning with the set's name: columns `tables.CROPS`."""
    tables = [pd.DataFrame(columns=list(CROPS))]
    for name in names:
        table = read_table(Path(aligned_dir) / name / "crops.csv", CROPS)
        crop = (name + "/" + table["crop"]).where(table["crop"] != "", "")
        tables.append(table.assign(photo=name + "/" + table["photo"], crop=crop))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def crop_paths(aligned_dir: Path, photos: pd.Series, *, status: tuple[str, ...]) -> pd.Series:
    """The crop's file of each photo, in the photos' order; empty where its crop is not of an accepted status.

    Args:
        aligned_dir: the folder of a role, with the sets' output folders of the stage `align`.
        photos: as in joined tables, each beginning with its set's name; the crops are below `aligned_dir` likewise.
        status: accepted values of `tables.STATUSES`.
    Raises:
        TableError: a photo was never aligned.
    """
    crops = read_crops(aligned_dir, sorted(set(photos.map(set_of)))).set_index("photo")
    missing = photos[~photos.isin(crops.index)]
    if len(missing):
        raise TableError(f"{aligned_dir}: no row for photo {missing.iloc[0]} in a crops.csv. Run `dvc repro align`.")
    rows = crops.loc[photos]
    accepted = rows["status"].isin(status).to_numpy()
    return pd.Series(np.where(accepted, rows["crop"].to_numpy(), ""), index=photos.index)
