"""Embeds a folder of photos with a model, into the file that `score-pairs` reads."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from dwmtl.crops.align import Source, align
from dwmtl.datasets.data_set import without_picture_endings
from dwmtl.device import device_of
from dwmtl.errors import DataSetError
from dwmtl.evaluation.embedding import CropFiles, embed
from dwmtl.files import require_output, whole_file
from dwmtl.inference.align_folder import as_trained, photos_below
from dwmtl.network.model_file import files_of, load_model
from dwmtl.tables import FAILURES, write_table


@dataclass(frozen=True)
class Embedded:
    """The outcome of embedding a folder.

    Attributes:
        num_photos: photos with an embedding.
        failures: columns `tables.FAILURES`: photos without a face, whose centre was embedded, and unreadable photos,
            which have no embedding.
    """

    num_photos: int
    failures: pd.DataFrame


def embed_folder(
    model: Path, source: Path, out: Path, *, is_aligned: bool, flipped: bool, batch_size: int, device: str
) -> Embedded:
    """Write the embeddings of all pictures below a folder, and a table of the failures beside them.

    Args:
        model: a model's folder.
        out: an .npz: `names` (N,), paths below `source` without ending, sorted; `embeddings` (N, D) float32, unit
            length; `embeddings_flipped`, those of the mirrored crops, where `flipped`. Beside it, `failures_path(out)`.
        is_aligned: the pictures are crops already; they are scaled, and no face is detected.
        batch_size: crops embedded together.
    Raises:
        DataSetError: there is no such folder, it has no readable picture, or two pictures have the same name.
        ModelFileError: not a model of dwmtl.
        DwmtlError: a file cannot be written, or is one of those that are read.
    """
    photos = photos_below(source)
    read = [*files_of(model), *(source / photo for photo in photos["photo"])]
    for path in (out, failures_path(out)):
        require_output(path, inputs=read)
    names = _names_by_photo(source, photos["photo"])
    network, card = load_model(model)
    with TemporaryDirectory(prefix="dwmtl-crops-") as folder:
        crops_dir, work_dir = Path(folder, "crops"), Path(folder, "work")
        crops_dir.mkdir()
        aligned = align(
            photos,
            Source("folders", source, is_aligned=is_aligned),
            crops_dir,
            as_trained(card),
            work_dir=work_dir,
            device=device_of(device),
        )
        crops = aligned.crops[aligned.crops["crop"] != ""]
        if crops.empty:
            raise DataSetError(f"{source}: none of its {len(photos)} pictures can be read.")
        crops = crops.assign(name=crops["photo"].map(names)).sort_values("name")
        paths = [crops_dir / crop for crop in crops["crop"]]
        crops_of = {"embeddings": CropFiles(paths)}
        if flipped:
            crops_of["embeddings_flipped"] = CropFiles(paths, is_mirrored=True)
        arrays = {
            name: embed(
                network, files, flip="none", batch_size=batch_size, accelerator=device, num_workers=0, title=name
            ).embeddings
            for name, files in crops_of.items()
        }
    _write({"names": np.array(crops["name"].tolist())} | arrays, aligned.failures, out)
    return Embedded(len(crops), aligned.failures)


def failures_path(out: Path) -> Path:
    """Path of the table of failures, beside a file of embeddings."""
    return out.with_name(f"{out.stem}_failures.csv")


def _names_by_photo(source: Path, photos: pd.Series) -> dict[str, str]:
    """A photo's name is its path without its ending; without both where `dwmtl align` wrote it, as `a.jpg.png`."""
    photo_of: dict[str, str] = {}
    for photo in photos:
        name = without_picture_endings(photo)
        if name in photo_of:
            raise DataSetError(
                f"{source}: {photo_of[name]} and {photo} would both be named {name}, as names have no ending. Rename "
                "one."
            )
        photo_of[name] = photo
    return {photo: name for name, photo in photo_of.items()}


def _write(arrays: dict[str, Any], failures: pd.DataFrame, out: Path) -> None:
    with whole_file(out) as file:
        np.savez(file, **arrays)
    write_table(failures, failures_path(out), FAILURES)
