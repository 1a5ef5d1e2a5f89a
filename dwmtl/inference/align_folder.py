"""Crops a folder of photos as the stage `align` crops a set's, for photos that are not a data set."""

import shutil
from pathlib import Path

import pandas as pd
import torch

from dwmtl.crops.align import Source, align
from dwmtl.crops.params import AlignParams
from dwmtl.datasets.data_set import manifest, pictures_below
from dwmtl.errors import DataSetError
from dwmtl.files import UNFINISHED, whole_folder, work_beside
from dwmtl.network.model_card import ModelCard
from dwmtl.network.model_file import load_card
from dwmtl.params import load_align_params
from dwmtl.tables import CROPS, FAILURES, STATUSES, write_table

_BATCH_SIZE = 32
"""Photos per batch of the detector."""


def align_folder(
    source: Path, out: Path, *, params: Path, model: Path | None, device: torch.device, all_faces: bool = False
) -> dict[str, int]:
    """Write a crop per photo, `crops.csv` and `failures.csv` into `out`, whole or not at all.

    Args:
        source: a folder with pictures, in folders of any depth.
        params: a `params.yaml`, whose section `align` is used.
        model: a model's folder; crop as for its training instead of by the params.
        all_faces: write a crop per face, `photos/a.jpg.0.png`, `photos/a.jpg.1.png`, ..., and a row of crops.csv for
            each.
    Returns:
        Number of crops by status, see `tables.STATUSES`; an unreadable photo, which has no crop, counts as one.
    Raises:
        DataSetError: there is no such folder, or no picture in it.
        ParamsError: the params are missing or wrong. ModelFileError: not a model of dwmtl.
    """
    table = photos_below(source)
    values = as_trained(load_card(model)) if model is not None else load_align_params(params)
    work_dir = work_beside(out, UNFINISHED)  # a run that was killed resumes from it
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
    """The alignment of a model's training crops, with a file per crop."""
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
