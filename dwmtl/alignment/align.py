"""The batched run: photos in, crops on disk and a row a photo. Memory holds a few batches, whatever the set's size."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from tqdm import tqdm

from dwmtl.alignment.crop import box_with_margin, center_box, choose_face, cut
from dwmtl.alignment.detector import Detections, Detector
from dwmtl.datasets.crop_store import CropWriter
from dwmtl.errors import DataSetError, UnreadablePhotoError
from dwmtl.params import AlignParams
from dwmtl.tables import BOX, CROPS, FAILURES, LANDMARKS

_MAX_WAITING_PIXELS = 16_000_000
"""Photos decoded and not yet detected: 48 MB, four times that as the detector's float32."""


@dataclass(frozen=True)
class Aligned:
    """The outcome of a run: columns `tables.CROPS` and `tables.FAILURES`, in the manifest's order."""

    crops: pd.DataFrame
    failures: pd.DataFrame


def align(
    manifest: pd.DataFrame,
    photos_dir: Path,
    crops_dir: Path,
    detector: Detector | None,
    params: AlignParams,
    *,
    read: Callable[[str], np.ndarray],
) -> Aligned:
    """Find the face of every photo that the protocol uses, and write its crop.

    Crops are PNG pictures below `crops_dir`, named after their photos, each a file or in archives of
    `params.crops_a_shard`.

    Args:
        manifest: columns `tables.MANIFEST`; rows of the role `unused` are passed over.
        photos_dir: the set's folder.
        crops_dir: where the crops go.
        detector: None: the photos are declared to be crops already; they are scaled, and nothing is looked for.
        read: decodes a photo by its name in the manifest; raises `UnreadablePhotoError`.
    Raises:
        DataSetError: a path of the manifest that leaves the set's folder.
    """
    photos = manifest.loc[manifest["role"] != "unused", "photo"].tolist()
    for photo in photos:
        _require_inside(photos_dir, photo)
    rows: dict[str, dict[str, object]] = {}
    reasons: dict[str, str] = {}
    with (
        CropWriter(crops_dir, crops_a_shard=params.crops_a_shard) as writer,
        tqdm(total=len(photos), desc="align", unit="photo", disable=None) as progress,
    ):
        for names, batch in _batches_of_one_size(photos, photos_dir, params.batch_size, reasons, read):
            detections = [None] * len(batch) if detector is None else detector(np.stack(batch))
            for name, photo, found in zip(names, batch, detections, strict=True):
                rows[name] = _crop(name, photo, found, writer, params)
                if found is not None and not len(found):
                    reasons[name] = "no face found; the photo's centre is cropped"
            progress.update(len(names))
        progress.update(len(photos) - progress.n)
    unreadable = {"crop": "", "status": "unreadable", "num_faces": 0, "chosen_by": ""}
    crops = pd.DataFrame([rows.get(photo, {"photo": photo, **unreadable}) for photo in photos], columns=list(CROPS))
    failed = crops[crops["status"] != "aligned"]
    failures = failed.assign(reason=failed["photo"].map(reasons))[list(FAILURES)]
    return Aligned(crops, failures)


def _require_inside(photos_dir: Path, photo: str) -> None:
    path = PurePosixPath(photo)
    if path.is_absolute() or ".." in path.parts:
        raise DataSetError(f"the manifest's photo {photo!r} lies outside the set's folder {photos_dir}.")


def _batches_of_one_size(
    photos: list[str],
    photos_dir: Path,
    batch_size: int,
    reasons: dict[str, str],
    read: Callable[[str], np.ndarray],
) -> Iterator[tuple[list[str], list[np.ndarray]]]:
    """Decode photos as they come, and give them out in batches of one size; unreadable ones get a reason instead.

    Large photos come in smaller batches, and no more than _MAX_WAITING_PIXELS wait at a time: the largest batch is then
    given out before it is full.
    """
    waiting: dict[tuple[int, ...], tuple[list[str], list[np.ndarray]]] = {}
    num_waiting = 0  # pixels
    for name in photos:
        try:
            photo = read(name)
        except UnreadablePhotoError as error:
            reasons[name] = str(error).removeprefix(f"{photos_dir / name}: ").removeprefix(f"{photos_dir}, {name}: ")
            continue
        names, batch = waiting.setdefault(photo.shape, ([], []))
        names.append(name)
        batch.append(photo)
        num_waiting += photo.shape[0] * photo.shape[1]
        full = photo.shape if len(batch) == batch_size else None
        if full is None and num_waiting > _MAX_WAITING_PIXELS:
            full = max(waiting, key=lambda shape: len(waiting[shape][0]) * shape[0] * shape[1])
        if full is not None:
            num_waiting -= len(waiting[full][0]) * full[0] * full[1]
            yield waiting.pop(full)
    yield from waiting.values()


def _crop(
    name: str, photo: np.ndarray, found: Detections | None, writer: CropWriter, params: AlignParams
) -> dict[str, object]:
    """Write one photo's crop; its row. `found` is None for a photo that is a crop already."""
    size = photo.shape[:2]
    row: dict[str, object] = {"photo": name, "num_faces": 1 if found is None else len(found)}
    if found is None:
        box = (0, 0, size[1], size[0])
        row |= {"status": "aligned", "chosen_by": "declared"}
    elif len(found):
        face = choose_face(found, size, select=params.select)
        box = box_with_margin(found.boxes[face], size, crop_px=params.crop_px, margin_px=params.margin_px)
        row |= {"status": "aligned", "chosen_by": params.select if len(found) > 1 else "only_face"}
        row["confidence"] = round(float(found.confidences[face]), 4)
        row |= dict(zip(BOX, found.boxes[face].astype(float).round(2), strict=True))
        row |= dict(zip(LANDMARKS, found.landmarks[face].ravel().astype(float).round(2), strict=True))
    else:
        box = center_box(size)
        row |= {"status": "fallback", "chosen_by": "photo_center"}
    return row | {"crop": writer.write(name, cut(photo, box, crop_px=params.crop_px))}
