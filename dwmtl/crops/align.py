"""Alignment of a set: photos in, crops on disk and a row per photo out. Memory holds a few batches, whatever the set's
size.

An `Aligner` processes the photos shard by shard, in this process or in several. A shard's content does not depend on
the process that makes it, and the output is put together from the shards alone, so that neither the number of
processes nor an interruption changes it.
"""

import atexit
import contextlib
import functools
import itertools
import logging
import multiprocessing
import os
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path, PurePosixPath

import pandas as pd
import torch

from dwmtl.cores import num_cores
from dwmtl.crops.aligner import Aligner, Job, Source, Threads
from dwmtl.crops.params import AlignParams
from dwmtl.crops.shards import ARCHIVE, Shard, shards_of, stamps
from dwmtl.crops.store import put_archive, put_files
from dwmtl.errors import DataSetError
from dwmtl.progress import Progress
from dwmtl.tables import BOX, CROPS, FAILURES, LANDMARKS

log = logging.getLogger(__name__)

_PHOTOS_PER_SHARD = 500
"""Where crops are single files. A killed run repeats at most one shard per process."""

_PHOTOS_PER_WORKER = 750
"""A process starts in the time of some 300 photos: two take as long for 1,500 photos as two threads of a single one."""

_MOST_WORKERS = 16
"""Of those started by themselves: each takes about 1 GB of memory."""

_MOST_THREADS = 8
"""Of a process, for either purpose: Python itself runs in one at a time."""


@dataclass(frozen=True)
class Aligned:
    """The tables of a run: columns `tables.CROPS` and `tables.FAILURES`, in the manifest's order."""

    crops: pd.DataFrame
    failures: pd.DataFrame


def align(
    manifest: pd.DataFrame,
    source: Source,
    crops_dir: Path,
    params: AlignParams,
    *,
    work_dir: Path,
    device: torch.device,
    num_workers: int | None = 0,
    all_faces: bool = False,
) -> Aligned:
    """Find the face of every photo that the protocol uses, and write its crop.

    Crops are PNG pictures below `crops_dir`, named after their photos: a file each, or in archives of
    `params.crops_a_shard` photos. Finished shards stay in `work_dir`, which the caller deletes
    once the output is complete.

    Args:
        manifest: columns `tables.MANIFEST`; rows of use `unused` are skipped.
        source: where the photos are.
        crops_dir: where the crops are written; an empty folder.
        work_dir: for this output alone; keeps the finished shards of an interrupted run for the next one.
        device: a CPU, or `cuda` for every GPU of the machine.
        num_workers: processes on the CPU; 0 and 1: this process; None: one per core, each with at least
            `_PHOTOS_PER_WORKER` photos.
        all_faces: write a crop and a row per face, in the detector's order, not only the face that `params.select`
            chooses.
    Raises:
        DataSetError: a path of the manifest leads out of the set's folder.
    """
    photos = manifest.loc[manifest["use"] != "unused", "photo"].tolist()
    for photo in photos:
        _require_inside(source.photos_dir, photo)
    shards = shards_of(
        photos,
        work_dir,
        photos_per_shard=params.crops_a_shard or _PHOTOS_PER_SHARD,
        settings=[
            *(params.model_dump(), source.adapter, source.is_aligned, source.enlarge_to_px),
            *(all_faces, device.type, torch.__version__),
        ],
        stamp=stamps(source.photos_dir),
    )
    is_archive = params.crops_a_shard is not None
    with contextlib.closing(_finished(shards, Job(source, params, all_faces), device, num_workers)) as finished:
        crops = {shard.number: _put(shard, crops_dir, is_archive=is_archive) for shard in finished}
    table = pd.concat([crops[shard.number] for shard in shards], ignore_index=True) if crops else _table([])
    failed = table[table["status"] != "aligned"]
    return Aligned(table[list(CROPS)], failed[list(FAILURES)].reset_index(drop=True))


def _require_inside(photos_dir: Path, photo: str) -> None:
    path = PurePosixPath(photo)
    if path.is_absolute() or ".." in path.parts:
        raise DataSetError(f"the manifest's photo {photo!r} lies outside the set's folder {photos_dir}.")


def _finished(
    shards: list[Shard], job: Job, device: torch.device, num_workers: int | None
) -> Generator[Shard, None, None]:
    """Yield every shard once it is finished: first those of an earlier run; the others are made."""
    earlier: list[Shard] = []
    waiting: list[Shard] = []
    for shard in shards:
        (earlier if shard.is_finished else waiting).append(shard)
    if earlier:
        log.info("%d of %d shards are finished already", len(earlier), len(shards))
    num_earlier, num_waiting = (sum(len(shard.photos) for shard in some) for some in (earlier, waiting))
    cores = torch.get_num_threads() if device.type == "cpu" else num_cores()
    if num_workers is None:
        num_workers = workers_for(num_waiting, cores=cores)
    devices = _devices(device, min(num_workers, len(waiting)))
    make = _in_processes if len(devices) > 1 else _in_this_process
    with Progress(total=num_earlier + num_waiting, desc="align", unit="photo") as progress:
        progress.update(num_earlier)
        yield from earlier
        for shard in make(waiting, job, devices, cores):
            yield shard
            progress.update(len(shard.photos))


def workers_for(num_photos: int, *, cores: int) -> int:
    """Processes that align a set the fastest: one per core, as long as each has enough photos to make up for its start.

    At most `_MOST_WORKERS`; 0 or 1 for a small set.
    """
    return min(cores, _MOST_WORKERS, num_photos // _PHOTOS_PER_WORKER)


def _devices(device: torch.device, num_workers: int) -> list[torch.device]:
    """The device of each process: every GPU once, or the CPU as often as there are processes."""
    if device.type == "cpu":
        return [device] * max(1, num_workers)
    return [torch.device(device.type, index) for index in range(torch.cuda.device_count())]


def _in_this_process(shards: list[Shard], job: Job, devices: list[torch.device], cores: int) -> Iterator[Shard]:
    if not shards:
        return
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in every worker, for the same bytes whatever their number
    try:
        aligner = Aligner(job, devices[0], threads_of(devices[0], cores=cores))
        for shard in shards:
            aligner.make(shard)
            yield shard
    finally:
        torch.set_num_threads(num_threads)


def threads_of(device: torch.device, *, cores: int) -> Threads:
    """Threads of a process, by its device and the cores that are its share."""
    num = max(1, min(cores, _MOST_THREADS))
    return Threads(detecting=num, others=2) if device.type == "cpu" else Threads(detecting=1, others=num)


_aligner: Callable[[], "Aligner"]
"""Of a worker process. Created with its first shard, so that an error in the set is raised as in a single process."""

_has_failed: Event
"""Of a worker process: whether it starts no other shard."""


def _in_processes(shards: list[Shard], job: Job, devices: list[torch.device], cores: int) -> Iterator[Shard]:
    """Yield shards as they are finished. Few are queued at a time; workers end with this process, however it ends."""
    context = multiprocessing.get_context("spawn")
    handed_out = context.Queue()
    for device in devices:
        handed_out.put(device)
    has_failed = context.Event()
    initargs = job, handed_out, cores // len(devices), has_failed
    with ProcessPoolExecutor(len(devices), mp_context=context, initializer=_start, initargs=initargs) as pool:
        remaining = iter(shards)
        running: set[Future[Shard]] = set()
        try:
            while True:
                num_free = 2 * len(devices) - len(running)
                running |= {pool.submit(_make, shard) for shard in itertools.islice(remaining, num_free)}
                if not running:
                    return
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
        except BaseException:  # also where the caller takes no more shards
            has_failed.set()
            raise


def _start(job: Job, devices: multiprocessing.Queue, cores: int, has_failed: Event) -> None:
    """Set up a worker process."""
    global _aligner, _has_failed
    _has_failed = has_failed
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Python would clear away torch's modules, object by object, for most of a second. Nothing is lost: what the process
    # prints is flushed by then, and the pool does not read its exit status.
    atexit.register(os._exit, 0)
    torch.set_num_threads(1)  # the processes run in parallel; more threads would only compete for the cores
    device = devices.get()
    _aligner = functools.cache(lambda: Aligner(job, device, threads_of(device, cores=cores)))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # the pool started this process
    parent.join()
    os._exit(1)


def _make(shard: Shard) -> Shard:
    if not _has_failed.is_set():
        _aligner().make(shard)
    return shard


def _put(shard: Shard, crops_dir: Path, *, is_archive: bool) -> pd.DataFrame:
    """Move a finished shard's crops into the output folder; returns its rows."""
    archive = shard.folder / ARCHIVE
    rows = shard.read_rows()
    if any(row["crop"] for row in rows):
        start = put_archive(archive, crops_dir, shard.number) if is_archive else put_files(archive, crops_dir)
        rows = [row | {"crop": row["crop"] and f"{start}{row['crop']}"} for row in rows]
    return _table(rows)


def _table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Columns `CROPS` and reason; a numeric column stays numeric where it is empty."""
    numbers = dict.fromkeys(("confidence", *BOX, *LANDMARKS), float)
    return pd.DataFrame(rows, columns=[*CROPS, "reason"]).astype({**numbers, "num_faces": int})
