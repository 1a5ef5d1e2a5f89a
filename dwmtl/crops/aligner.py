"""From the photos of a shard to its crops and rows: decoding ahead of the detector, encoding behind it.

A shard's content depends on its photos and the job alone. Knows nothing of processes, or of how sets become shards.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dwmtl.cores import num_cores
from dwmtl.crops import crop as geometry
from dwmtl.crops.detector import Detections, Detector
from dwmtl.crops.params import AlignParams
from dwmtl.crops.photo_source import open_photos
from dwmtl.crops.shards import ARCHIVE, Shard
from dwmtl.crops.store import CropArchive
from dwmtl.errors import UnreadablePhotoError
from dwmtl.section import crop_size
from dwmtl.tables import BOX, LANDMARKS

_MAX_WAITING_PIXELS = 16_000_000
"""Of photos decoded and waiting for the detector: 48 MB, and four times that while the detector holds them."""

_NUM_THREADS = 2
"""Threads per process that decode and encode beside a detector on the CPU; beside one on a GPU, a thread per core, at
most eight."""


@dataclass(frozen=True)
class Source:
    """Where a set's photos come from.

    Attributes:
        adapter: how they are decoded, as `photo_source.open_photos` takes it.
        photos_dir: the set's folder.
        is_aligned: the photos are declared to be crops already; they are scaled, and no face is detected.
        enlarge_to_px: see `crop.enlarge`; None: no photo is enlarged.
    """

    adapter: str
    photos_dir: Path
    is_aligned: bool = False
    enlarge_to_px: int | None = None


@dataclass(frozen=True)
class Job:
    """What is done with every shard: the arguments of `align.align` with these names."""

    source: Source
    params: AlignParams
    all_faces: bool = False


class Aligner:
    """Makes shards: finds the faces of photos, crops them and writes a row per crop.

    Args:
        job: where the photos are, and how they are cropped.
        device: where the detector runs.
    """

    def __init__(self, job: Job, device: torch.device):
        source, params = job.source, job.params
        self._job = job
        self._read = open_photos(source.adapter, source.photos_dir)
        self._num_threads = _NUM_THREADS if device.type == "cpu" else min(8, num_cores())
        self._detector = None
        if not source.is_aligned:
            self._detector = Detector(
                min_face_px=params.min_face_px,
                thresholds=params.thresholds,
                pyramid_factor=params.pyramid_factor,
                device=device,
            )

    def make(self, shard: Shard) -> None:
        """Write the crops and rows of a shard."""
        rows: list[dict[str, object]] = []
        with shard.writing() as folder:
            with CropArchive(folder / ARCHIVE) as archive, ThreadPoolExecutor(self._num_threads) as pool:
                encoding: list[Future] = []
                for batch in self._batches(shard.photos, pool):
                    detections = self._detect([photo for _, photo in batch if isinstance(photo, np.ndarray)])
                    rows += self._written(encoding, archive)  # the previous batch, encoded meanwhile
                    encoding = [
                        pool.submit(_cropped, name, photo, next(detections), self._job)
                        if isinstance(photo, np.ndarray)
                        else pool.submit(_unreadable, name, photo)
                        for name, photo in batch
                    ]
                rows += self._written(encoding, archive)
            shard.write_rows(rows, folder)

    def _detect(self, photos: list[np.ndarray]) -> Iterator[Detections | None]:
        if self._detector is None:
            return iter([None] * len(photos))
        return iter(self._detector([_enlarged(photo, self._job).picture for photo in photos]))

    def _written(self, encoding: list[Future], archive: CropArchive) -> list[dict[str, object]]:
        """Write encoded crops in their order; returns their rows."""
        rows = []
        for photo in encoding:
            for number, (row, picture) in enumerate(photo.result()):
                face = number if self._job.all_faces else None
                rows.append(row | {"crop": archive.write(row["photo"], picture, face=face) if picture else ""})
        return rows

    def _batches(
        self, names: tuple[str, ...], pool: ThreadPoolExecutor
    ) -> Iterator[list[tuple[str, np.ndarray | str]]]:
        """Names with their photos, or with why one is unreadable, in batches; batches of large photos are smaller."""
        batch: list[tuple[str, np.ndarray | str]] = []
        num_pixels = 0
        batch_size = self._job.params.batch_size
        for name, photo in _ahead(self._decode, names, pool, batch_size):
            batch.append((name, photo))
            num_pixels += _num_pixels(photo)
            if len(batch) == batch_size or num_pixels > _MAX_WAITING_PIXELS:
                yield batch
                batch, num_pixels = [], 0
        if batch:
            yield batch

    def _decode(self, name: str) -> np.ndarray | str:
        """The decoded photo, or the reason why it is unreadable."""
        try:
            return self._read(name)
        except UnreadablePhotoError as error:
            folder = self._job.source.photos_dir
            return str(error).removeprefix(f"{folder / name}: ").removeprefix(f"{folder}, {name}: ")


def _ahead(
    decode: Callable[[str], np.ndarray | str], names: tuple[str, ...], pool: ThreadPoolExecutor, most: int
) -> Iterator[tuple[str, np.ndarray | str]]:
    """Names with what `decode` returns for them, in order; up to `most` photos, or `_MAX_WAITING_PIXELS`, ahead."""
    waiting: deque[tuple[str, Future]] = deque()
    for name in names:
        while waiting and (len(waiting) > most or _too_many(waiting)):
            ready, future = waiting.popleft()
            yield ready, future.result()
        waiting.append((name, pool.submit(decode, name)))
    for ready, future in waiting:
        yield ready, future.result()


def _too_many(waiting: deque[tuple[str, Future]]) -> bool:
    """Whether the waiting photos exceed the limit; one still being decoded counts as the largest of the others."""
    sizes = [_num_pixels(future.result()) for _, future in waiting if future.done()]
    return sum(sizes) + (len(waiting) - len(sizes)) * max(sizes, default=0) > _MAX_WAITING_PIXELS


def _num_pixels(photo: np.ndarray | str) -> int:
    return photo.shape[0] * photo.shape[1] if isinstance(photo, np.ndarray) else 0


Cropped = tuple[dict[str, object], bytes | None]
"""A row of `tables.CROPS` without the place of the crop, and the crop as PNG."""


def _unreadable(name: str, reason: str) -> list[Cropped]:
    return [({"photo": name, "status": "unreadable", "num_faces": 0, "chosen_by": "", "reason": reason}, None)]


def _cropped(name: str, photo: np.ndarray, faces: Detections | None, job: Job) -> list[Cropped]:
    """The crop of a photo, or of each of its faces. `faces` is None for a photo that is a crop already."""
    enlarged, params = _enlarged(photo, job), job.params
    size = enlarged.picture.shape[:2]
    row: dict[str, object] = {"photo": name, "num_faces": 1 if faces is None else len(faces)}
    if faces is None:
        row |= {"status": "aligned", "chosen_by": "declared"}
        crop = geometry.scale_crop(photo, crop_size(params.crop_px), form=params.crop_form)
        return [(row, geometry.encoded(crop))]
    if not len(faces):
        row |= {"status": "fallback", "chosen_by": "photo_center"}
        row["reason"] = "no face found; the photo's centre is cropped"
        box = geometry.center_box(size, crop_size=crop_size(params.crop_px))
        crop = geometry.cut(enlarged.picture, box, crop_size=crop_size(params.crop_px))
        return [(row, geometry.encoded(crop))]
    row |= {"status": "aligned", "chosen_by": "only_face"}
    if job.all_faces:
        row["chosen_by"] = "all_faces"
        return [_face(row, enlarged, faces, face, params) for face in range(len(faces))]
    if len(faces) > 1:
        row["chosen_by"] = params.select
    return [_face(row, enlarged, faces, geometry.choose_face(faces, size, select=params.select), params)]


def _enlarged(photo: np.ndarray, job: Job) -> geometry.Enlarged:
    return geometry.enlarge(photo, longer_px=job.source.enlarge_to_px)


def _face(
    row: dict[str, object], photo: geometry.Enlarged, faces: Detections, face: int, params: AlignParams
) -> Cropped:
    """The photo's row with the confidence, box and landmarks of a face, and the face's crop.

    Box and landmarks are in pixels of the photo as it is on disk.
    """
    places = {
        "confidence": round(float(faces.confidences[face]), 4),
        **dict(zip(BOX, photo.in_photo(faces.boxes[face]).round(2).tolist(), strict=True)),
        **dict(zip(LANDMARKS, photo.in_photo(faces.landmarks[face]).round(2).tolist(), strict=True)),
    }
    crop = geometry.face_crop(
        photo.picture,
        faces.boxes[face],
        faces.landmarks[face],
        form=params.crop_form,
        crop_size=crop_size(params.crop_px),
        margin_px=params.margin_px,
    )
    return row | places, geometry.encoded(crop)
