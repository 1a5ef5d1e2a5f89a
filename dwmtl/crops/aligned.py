"""The aligned crops of sets, as the stage `align` writes them: the crop of each photo, and its pixels."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from dwmtl.crops.store import open_crop
from dwmtl.errors import DataSetError, TableError
from dwmtl.tables import CROPS, read_table, set_of


def read_crop(path: Path | str) -> np.ndarray:
    """Read a crop by its full path: (H, W, 3) uint8, RGB.

    Raises:
        DataSetError: its bytes are not those that were written: a PNG file and an archive hold checksums of them.
    """
    try:
        with open_crop(path) as picture:
            return np.array(picture.convert("RGB"))
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataSetError(f"{path}: a damaged crop ({error}). Delete it and run `dvc repro`.") from None


def read_crops(aligned_dir: Path, names: list[str]) -> pd.DataFrame:
    """The rows of sets' crops: columns `tables.CROPS`, photo and crop prefixed with the set's name."""
    tables = [pd.DataFrame(columns=list(CROPS))]
    for name in names:
        table = read_table(Path(aligned_dir) / name / "crops.csv", CROPS)
        crop = (name + "/" + table["crop"]).where(table["crop"] != "", "")
        tables.append(table.assign(photo=name + "/" + table["photo"], crop=crop))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def crop_paths(aligned_dir: Path, photos: pd.Series, *, status: tuple[str, ...]) -> pd.Series:
    """The path of each photo's crop below `aligned_dir`, in the photos' order; empty where its status is not accepted.

    Args:
        aligned_dir: the folder of a role, with the sets' output folders of the stage `align`.
        photos: as in joined tables, each prefixed with its set's name.
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
