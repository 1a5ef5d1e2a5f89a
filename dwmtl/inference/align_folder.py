"""A folder of photos, cropped as the stage `align` crops a set's: for people who have photos and no data set."""

import shutil
from pathlib import Path

import pandas as pd
import torch

from dwmtl.crops.align import Source, align
from dwmtl.crops.params import AlignParams
from dwmtl.datasets.data_set import manifest, pictures_below
from dwmtl.errors import DataSetError
from dwmtl.files import UNFINISHED, whole_folder, work_beside
from dwmtl.network.model_file import ModelCard, load_card
from dwmtl.params import load_align_params
from dwmtl.tables import CROPS, FAILURES, STATUSES, write_table

_BATCH_SIZE = 32
"""Photos detected together."""


def align_folder(
    source: Path, out: Path, *, params: Path, model: Path | None, device: torch.device, all_faces: bool = False
) -> dict[str, int]:
    """Write a crop a photo, `crops.csv` and `failures.csv` into `out`, whole or not at all.

    Args:
        source: its pictures, in folders of any depth, by their endings.
        params: a `params.yaml`; its section `align` holds.
        model: a model's folder whose card says how the faces are found and cropped, in place of the params.
        all_faces: a crop a face, `photos/a.jpg.0.png`, `photos/a.jpg.1.png`, ..., and a row of crops.csv for each.
    Returns:
        How many crops have each of `tables.STATUSES`; an unreadable photo, which has none, counts as one.
    Raises:
        DataSetError: no such folder, or no picture in it.
        ParamsError: the params are missing or wrong. ModelFileError: no model.
    """
    table = photos_below(source)
    values = as_trained(load_card(model)) if model is not None else load_align_params(params)
    work_dir = work_beside(out, UNFINISHED)  # a killed run goes on from there
    with whole_folder(out) as folder:
        aligned = align(
            table,
            Source("folders", source),
            folder,
            values,
            work_dir=work_dir,
            device=device,
            all_faces=all_faces,
        )
        write_table(aligned.crops, folder / "crops.csv", CROPS)
        write_table(aligned.failures, folder / "failures.csv", FAILURES)
    shutil.rmtree(work_dir, ignore_errors=True)  # one inside `out` is gone already
    counts = aligned.crops["status"].value_counts()
    return {status: int(counts.get(status, 0)) for status in STATUSES}


def as_trained(card: ModelCard) -> AlignParams:
    """How a model's training crops were found and cut out; a file each."""
    return AlignParams(
        crop_px=card.crop_px,
        margin_px=card.margin_px,
        **card.detector.model_dump(),
        batch_size=_BATCH_SIZE,
        crops_a_shard=None,
    )


def photos_below(folder: Path) -> pd.DataFrame:
    """The pictures in a folder and below it, as a manifest whose subjects are unknown.

    Raises:
        DataSetError: no such folder, or no picture in it.
    """
    photos = pictures_below(folder)
    if not photos:
        raise DataSetError(f"{folder}: no pictures in this folder or below it.")
    return manifest({"photo": photos, "subject": [""] * len(photos)})
