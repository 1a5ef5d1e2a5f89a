"""The run over a set: photos in, crops on disk and a row a photo. Memory holds a few batches, whatever the set's size.

Photos go shard by shard through an `Aligner`; within a shard, photos are decoded ahead of the detector and crops
encoded behind it. Processes share out the shards. A shard is worked on alike in whichever process, and what is put
together at the end comes from the shards alone, so neither processes nor interruptions change an output.
"""

import functools
import itertools
import logging
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from dwmtl.crops import crop as geometry
from dwmtl.crops.detector import Detections, Detector
from dwmtl.crops.params import AlignParams
from dwmtl.crops.photo_source import open_photos
from dwmtl.crops.shards import ARCHIVE, Shard, shards_of, stamps
from dwmtl.crops.store import CropArchive, put_archive, put_files
from dwmtl.errors import DataSetError, UnreadablePhotoError
from dwmtl.section import crop_size
from dwmtl.tables import BOX, CROPS, FAILURES, LANDMARKS

log = logging.getLogger(__name__)

_MAX_WAITING_PIXELS = 16_000_000
"""Photos decoded and not yet detected: 48 MB, and four times that while the detector has them."""

_PHOTOS_A_SHARD = 500
"""Where crops are files: what a killed run repeats at most, a process."""

_NUM_THREADS = 2
"""Of a process, decoding and encoding beside its detector; with a GPU as many as there are cores, up to eight."""


@dataclass(frozen=True)
class Aligned:
    """The outcome of a run: columns `tables.CROPS` and `tables.FAILURES`, in the manifest's order."""

    crops: pd.DataFrame
    failures: pd.DataFrame


@dataclass(frozen=True)
class Source:
    """Where a set's photos come from.

    Attributes:
        adapter: how they are decoded, as `photo_source.open_photos` takes it.
        photos_dir: the set's folder.
        is_aligned: they are declared to be crops already; they are scaled, and nothing is looked for.
        enlarge_to_px: see `crop.enlarge`; None: no photo is enlarged.
    """

    adapter: str
    photos_dir: Path
    is_aligned: bool = False
    enlarge_to_px: int | None = None


def align(
    manifest: pd.DataFrame,
    source: Source,
    crops_dir: Path,
    params: AlignParams,
    *,
    work_dir: Path,
    device: torch.device,
    num_workers: int = 0,
    all_faces: bool = False,
) -> Aligned:
    """Find the face of every photo that the protocol uses, and write its crop.

    Crops are PNG pictures below `crops_dir`, named after their photos, each a file or in archives of
    `params.crops_a_shard`. Finished shards stay in `work_dir` until the caller has put the outcome away.

    Args:
        manifest: columns `tables.MANIFEST`; rows of the use `unused` are passed over.
        source: where the photos are.
        crops_dir: where the crops go; empty.
        work_dir: of this output alone: an interrupted run leaves there what the next one need not repeat.
        device: a CPU, or `cuda`: every GPU there is.
        num_workers: processes on the CPU; 0 and 1: this one.
        all_faces: a crop and a row a face, in the detector's order, in place of the face that `params.select` takes.
    Raises:
        DataSetError: a path of the manifest that leaves the set's folder.
    """
    photos = manifest.loc[manifest["use"] != "unused", "photo"].tolist()
    for photo in photos:
        _require_inside(source.photos_dir, photo)
    shards = shards_of(
        photos,
        work_dir,
        photos_a_shard=params.crops_a_shard or _PHOTOS_A_SHARD,
        settings=[
            *(params.model_dump(), source.adapter, source.is_aligned, source.enlarge_to_px),
            *(all_faces, device.type, torch.__version__),
        ],
        stamp=stamps(source.photos_dir),
    )
    _finish(shards, Job(source, params, all_faces), device, num_workers)
    crops = [_put(shard, crops_dir, is_archive=params.crops_a_shard is not None) for shard in shards]
    table = pd.concat(crops, ignore_index=True) if crops else _table([])
    failed = table[table["status"] != "aligned"]
    return Aligned(table[list(CROPS)], failed[list(FAILURES)].reset_index(drop=True))


def _require_inside(photos_dir: Path, photo: str) -> None:
    path = PurePosixPath(photo)
    if path.is_absolute() or ".." in path.parts:
        raise DataSetError(f"the manifest's photo {photo!r} lies outside the set's folder {photos_dir}.")


@dataclass(frozen=True)
class Job:
    """What is done with every shard: `align`'s arguments of these names."""

    source: Source
    params: AlignParams
    all_faces: bool = False


def _finish(shards: list[Shard], job: Job, device: torch.device, num_workers: int) -> None:
    """Make the shards that are not finished, in this process or in several."""
    waiting = [shard for shard in shards if not shard.is_finished]
    if len(waiting) < len(shards):
        log.info("%d of %d shards are finished already", len(shards) - len(waiting), len(shards))
    num_photos = [len(shard.photos) for shard in shards]
    devices = _devices(device, min(num_workers, len(waiting)))
    with tqdm(total=sum(num_photos), desc="align", unit="photo", disable=None) as progress:
        progress.update(sum(num_photos) - sum(len(shard.photos) for shard in waiting))
        done = _in_processes if len(devices) > 1 else _in_this_process
        for shard in done(waiting, job, devices):
            progress.update(len(shard.photos))


def _devices(device: torch.device, num_workers: int) -> list[torch.device]:
    """One a process: every GPU, or the CPU as often as there are processes."""
    if device.type == "cpu":
        return [device] * max(1, num_workers)
    return [torch.device(device.type, index) for index in range(torch.cuda.device_count())]


def _in_this_process(shards: list[Shard], job: Job, devices: list[torch.device]) -> Iterator[Shard]:
    if not shards:
        return
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in every worker: the same bytes whatever their number, and MTCNN's calls are tiny
    try:
        aligner = Aligner(job, devices[0])
        for shard in shards:
            aligner.make(shard)
            yield shard
    finally:
        torch.set_num_threads(num_threads)


_aligner: Callable[[], "Aligner"]
"""A worker process' own, made at its first shard: what is wrong with the set is then told as in one process."""


def _in_processes(shards: list[Shard], job: Job, devices: list[torch.device]) -> Iterator[Shard]:
    """Shards as they get finished. A few wait in the queue; the processes end with this one, however it ends."""
    context = multiprocessing.get_context("spawn")
    handed_out = context.Queue()
    for device in devices:
        handed_out.put(device)
    with ProcessPoolExecutor(len(devices), mp_context=context, initializer=_start, initargs=(job, handed_out)) as pool:
        left = iter(shards)
        running: set[Future[Shard]] = set()
        while True:
            running |= {pool.submit(_make, shard) for shard in itertools.islice(left, 2 * len(devices) - len(running))}
            if not running:
                return
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()


def _start(job: Job, devices: multiprocessing.Queue) -> None:
    """Make a worker process ready."""
    global _aligner
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)  # the processes are the parallelism; their threads would only wait for one another
    device = devices.get()
    _aligner = functools.cache(lambda: Aligner(job, device))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a process that the pool started
    parent.join()
    os._exit(1)


def _make(shard: Shard) -> Shard:
    _aligner().make(shard)
    return shard


class Aligner:
    """Makes shards: finds the faces of photos, crops them and keeps a row each.

    Args:
        job: where the photos are, and how they are cropped.
        device: of the detector.
    """

    def __init__(self, job: Job, device: torch.device):
        source, params = job.source, job.params
        self._job = job
        self._read = open_photos(source.adapter, source.photos_dir)
        self._num_threads = _NUM_THREADS if device.type == "cpu" else min(8, os.cpu_count() or 1)
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
                    found = self._detect([photo for _, photo in batch if isinstance(photo, np.ndarray)])
                    rows += self._written(encoding, archive)  # the batch before, encoded meanwhile
                    encoding = [
                        pool.submit(_cropped, name, photo, next(found), self._job)
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
        """The rows of encoded crops, which are written in their order."""
        rows = []
        for photo in encoding:
            for number, (row, picture) in enumerate(photo.result()):
                face = number if self._job.all_faces else None
                rows.append(row | {"crop": archive.write(row["photo"], picture, face=face) if picture else ""})
        return rows

    def _batches(
        self, names: tuple[str, ...], pool: ThreadPoolExecutor
    ) -> Iterator[list[tuple[str, np.ndarray | str]]]:
        """Names with their photos, or with what is wrong with them, in batches; large photos in smaller ones."""
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
        """A photo; or the reason why it is unreadable."""
        try:
            return self._read(name)
        except UnreadablePhotoError as error:
            folder = self._job.source.photos_dir
            return str(error).removeprefix(f"{folder / name}: ").removeprefix(f"{folder}, {name}: ")


def _ahead(
    decode: Callable[[str], np.ndarray | str], names: tuple[str, ...], pool: ThreadPoolExecutor, most: int
) -> Iterator[tuple[str, np.ndarray | str]]:
    """Names with what `decode` makes of them, in order, up to `most` of them ahead, or `_MAX_WAITING_PIXELS`."""
    waiting: deque[tuple[str, Future]] = deque()
    for name in names:
        while waiting and (len(waiting) > most or _too_many(waiting)):
            ready, future = waiting.popleft()
            yield ready, future.result()
        waiting.append((name, pool.submit(decode, name)))
    for ready, future in waiting:
        yield ready, future.result()


def _too_many(waiting: deque[tuple[str, Future]]) -> bool:
    """Whether the photos waiting are as large as may be; one that is still decoded counts as large as the last."""
    sizes = [_num_pixels(future.result()) for _, future in waiting if future.done()]
    return sum(sizes) + (len(waiting) - len(sizes)) * max(sizes, default=0) > _MAX_WAITING_PIXELS


def _num_pixels(photo: np.ndarray | str) -> int:
    return photo.shape[0] * photo.shape[1] if isinstance(photo, np.ndarray) else 0


Cropped = tuple[dict[str, object], bytes | None]
"""A row of `tables.CROPS`, but for the place of the crop, and the crop as PNG."""


def _unreadable(name: str, reason: str) -> list[Cropped]:
    return [({"photo": name, "status": "unreadable", "num_faces": 0, "chosen_by": "", "reason": reason}, None)]


def _cropped(name: str, photo: np.ndarray, found: Detections | None, job: Job) -> list[Cropped]:
    """One photo's crop, or one of each of its faces. `found` is None for a photo that is a crop already."""
    enlarged, params = _enlarged(photo, job), job.params
    size = enlarged.picture.shape[:2]
    row: dict[str, object] = {"photo": name, "num_faces": 1 if found is None else len(found)}
    if found is None:
        row |= {"status": "aligned", "chosen_by": "declared"}
        crop = geometry.scale_crop(photo, crop_size(params.crop_px), form=params.crop_form)
        return [(row, geometry.encoded(crop))]
    if not len(found):
        row |= {"status": "fallback", "chosen_by": "photo_center"}
        row["reason"] = "no face found; the photo's centre is cropped"
        box = geometry.center_box(size, crop_size=crop_size(params.crop_px))
        crop = geometry.cut(enlarged.picture, box, crop_size=crop_size(params.crop_px))
        return [(row, geometry.encoded(crop))]
    row |= {"status": "aligned", "chosen_by": "only_face"}
    if job.all_faces:
        row["chosen_by"] = "all_faces"
        return [_face(row, enlarged, found, face, params) for face in range(len(found))]
    if len(found) > 1:
        row["chosen_by"] = params.select
    return [_face(row, enlarged, found, geometry.choose_face(found, size, select=params.select), params)]


def _enlarged(photo: np.ndarray, job: Job) -> geometry.Enlarged:
    return geometry.enlarge(photo, longer_px=job.source.enlarge_to_px)


def _face(
    row: dict[str, object], photo: geometry.Enlarged, found: Detections, face: int, params: AlignParams
) -> Cropped:
    """The photo's row with a face's confidence and places, in pixels of the photo as it is on disk, and its crop."""
    places = {
        "confidence": round(float(found.confidences[face]), 4),
        **dict(zip(BOX, photo.in_photo(found.boxes[face]).round(2).tolist(), strict=True)),
        **dict(zip(LANDMARKS, photo.in_photo(found.landmarks[face]).round(2).tolist(), strict=True)),
    }
    crop = geometry.face_crop(
        photo.picture,
        found.boxes[face],
        found.landmarks[face],
        form=params.crop_form,
        crop_size=crop_size(params.crop_px),
        margin_px=params.margin_px,
    )
    return row | places, geometry.encoded(crop)


def _put(shard: Shard, crops_dir: Path, *, is_archive: bool) -> pd.DataFrame:
    """Put a finished shard's crops into the outcome; its rows."""
    archive = shard.folder / ARCHIVE
    rows = shard.read_rows()
    if any(row["crop"] for row in rows):
        start = put_archive(archive, crops_dir, shard.number) if is_archive else put_files(archive, crops_dir)
        rows = [row | {"crop": row["crop"] and f"{start}{row['crop']}"} for row in rows]
    return _table(rows)


def _table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """`CROPS` and the reason; an empty column of numbers is one of numbers."""
    numbers = dict.fromkeys(("confidence", *BOX, *LANDMARKS), float)
    return pd.DataFrame(rows, columns=[*CROPS, "reason"]).astype({**numbers, "num_faces": int})
