"""From the photos of a shard to its crops and rows: each thread decodes, detects and encodes a batch of its own.

A shard's content depends on its photos and the job alone. Knows nothing of processes, or of how sets become shards.
"""

import contextlib
import functools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from dwmtl.crops import crop as geometry
from dwmtl.crops.detector import Detections, Detector
from dwmtl.crops.params import AlignParams
from dwmtl.crops.photo_source import open_photos
from dwmtl.crops.shards import ARCHIVE, Shard
from dwmtl.crops.store import CropArchive
from dwmtl.errors import UnreadablePhotoError
from dwmtl.section import crop_size
from dwmtl.tables import BOX, LANDMARKS

Item = TypeVar("Item")
Result = TypeVar("Result")

_ENOUGH_PIXELS = 8_000_000
"""Once a thread has decoded as many, 24 MB, it detects and crops them before it decodes more."""

_LARGE_PIXELS = 8_000_000
"""Larger photos are detected one at a time, since each takes 12 bytes per pixel in the detector."""


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


class Threads(NamedTuple):
    """Of a process.

    Attributes:
        detecting: detect at the same time, on a CPU each on a core of its own.
        others: decode and encode meanwhile, or wait for the disk.
    """

    detecting: int
    others: int


Cropped = tuple[dict[str, object], bytes | None]
"""A row of `tables.CROPS` without the place of the crop, and the crop as PNG."""


class Aligner:
    """Makes shards: finds the faces of photos, crops them and writes a row per crop.

    Args:
        job: where the photos are, and how they are cropped.
        device: where the detector runs.
        threads: how many process the batches.
    """

    def __init__(self, job: Job, device: torch.device, threads: Threads):
        source, params = job.source, job.params
        self._job = job
        self._read = open_photos(source.adapter, source.photos_dir)
        self._num_threads = sum(threads)
        self._detecting, self._detecting_large = threading.Semaphore(threads.detecting), threading.Lock()
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
        size = self._job.params.batch_size
        batches = [shard.photos[start : start + size] for start in range(0, len(shard.photos), size)]
        is_stopped = threading.Event()
        with shard.writing() as folder:
            with CropArchive(folder / ARCHIVE) as archive, self._pool() as pool:
                try:
                    work = functools.partial(self._crops, is_stopped=is_stopped)
                    for crops in _ahead(pool, work, batches, most=2 * self._num_threads):
                        rows += self._written(crops, archive)
                except BaseException:  # an interruption does not wait until whole batches of large photos are done
                    is_stopped.set()
                    raise
            shard.write_rows(rows, folder)

    def _pool(self) -> ThreadPoolExecutor:
        """Threads of one torch thread each: photos side by side take less time than threads that share a photo."""
        return ThreadPoolExecutor(self._num_threads, initializer=torch.set_num_threads, initargs=(1,))

    def _crops(self, names: tuple[str, ...], *, is_stopped: threading.Event) -> list[list[Cropped]]:
        """The crops of each photo; of some, once nobody wants them."""
        crops = []
        for part in self._decoded(names):
            if is_stopped.is_set():
                break
            detections = self._detect([photo for _, photo in part if isinstance(photo, np.ndarray)])
            crops += [
                _cropped(name, photo, next(detections), self._job)
                if isinstance(photo, np.ndarray)
                else _unreadable(name, photo)
                for name, photo in part
            ]
            part.clear()  # before the next photos are decoded
        return crops

    def _decoded(self, names: tuple[str, ...]) -> Iterator[list[tuple[str, np.ndarray | str]]]:
        """Names with their photos, or with why one is unreadable, in parts of `_ENOUGH_PIXELS`."""
        part: list[tuple[str, np.ndarray | str]] = []
        num_pixels = 0
        for name in names:
            part.append((name, self._decode(name)))
            num_pixels += _num_pixels(part[-1][1])
            if num_pixels >= _ENOUGH_PIXELS:
                yield part
                part, num_pixels = [], 0
        if part:
            yield part

    def _detect(self, photos: list[np.ndarray]) -> Iterator[Detections | None]:
        if self._detector is None:
            return iter([None] * len(photos))
        pictures = [_enlarged(photo, self._job).picture for photo in photos]
        is_large = max(map(_num_pixels, pictures), default=0) > _LARGE_PIXELS
        with self._detecting_large if is_large else contextlib.nullcontext(), self._detecting:
            return iter(self._detector(pictures))

    def _written(self, crops: list[list[Cropped]], archive: CropArchive) -> list[dict[str, object]]:
        """Write the crops of some photos; returns their rows."""
        rows = []
        for photo in crops:
            for number, (row, picture) in enumerate(photo):
                face = number if self._job.all_faces else None
                rows.append(row | {"crop": archive.write(str(row["photo"]), picture, face=face) if picture else ""})
        return rows

    def _decode(self, name: str) -> np.ndarray | str:
        """The decoded photo, or the reason why it is unreadable."""
        try:
            return self._read(name)
        except UnreadablePhotoError as error:
            folder = self._job.source.photos_dir
            return str(error).removeprefix(f"{folder / name}: ").removeprefix(f"{folder}, {name}: ")


def _ahead(
    pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item], *, most: int
) -> Iterator[Result]:
    """What `work` returns for each item, in their order; `most` items are handed out ahead of the one that is next."""
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _num_pixels(photo: np.ndarray | str) -> int:
    return photo.shape[0] * photo.shape[1] if isinstance(photo, np.ndarray) else 0


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
