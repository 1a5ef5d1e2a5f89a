"""Photos per second of facenet-pytorch's MTCNN and of our detector, side by side, and how far they agree.

    python benchmarks/alignment.py --photos ../shared/real/lfw --photos ../shared/real/yale
    python benchmarks/alignment.py --photos ../shared/real/lfw --memory 20000

Every block of photos is processed by the stock detector photo by photo, by the stock detector in batches of equal
sizes, and by ours, in turn. Decoding is not timed, and the ratio is to the better of the two stock ways. `--memory`
instead aligns that many small photos, including decoding, cropping and writing, and prints the peak memory.
"""

import platform
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import torch
import typer
from facenet_pytorch import MTCNN
from outcome import Outcome, report
from PIL import Image

from dwmtl.crops.detector import NO_FACES, Detections, Detector
from dwmtl.crops.photos import read_photo
from dwmtl.errors import UnreadablePhotoError
from dwmtl.params import load_params

THRESHOLDS, FACTOR = [0.6, 0.7, 0.7], 0.709
MOST_PX, MOST_CONFIDENCE = 1.0, 0.01
"""Tolerances of equal faces: a pixel for landmarks and boxes, a hundredth for confidences."""


def main(
    photos: Annotated[list[Path], typer.Option(help="a folder of photos, searched recursively; may be given again")],
    limit: Annotated[int, typer.Option(help="photos at most, spread over all; 0: all")] = 0,
    device: str = "cpu",
    min_face_px: Annotated[int, typer.Option(help="smallest face; 20 is the stock default")] = 20,
    threads: Annotated[int, typer.Option(help="threads of torch, for every detector")] = 2,
    block: Annotated[int, typer.Option(help="photos per turn, and the greatest stock batch")] = 64,
    half: Annotated[bool, typer.Option(help="run ours in float16, on a GPU")] = False,
    record: Annotated[bool, typer.Option(help="append to docs/benchmarks.md")] = False,
    memory: Annotated[int, typer.Option(help="instead: align this many small photos and print the peak memory")] = 0,
) -> None:
    """Time and compare, or measure memory."""
    torch.set_num_threads(threads)
    if memory:
        grow(photos, memory)
        return
    files = _files(photos, limit)
    on = torch.device(device)
    stock = MTCNN(min_face_size=min_face_px, thresholds=THRESHOLDS, factor=FACTOR, keep_all=True, device=on).eval()
    ours = Detector(
        min_face_px=min_face_px,
        thresholds=THRESHOLDS,
        pyramid_factor=FACTOR,
        device=on,
        autocast=torch.float16 if half else None,
    )
    ways = {
        "stock, a photo at a time": lambda batch: [_stock(stock, photo[None])[0] for photo in batch],
        "stock, equal sizes together": lambda batch: _stock_by_size(stock, batch),
        "ours": ours,
    }
    where = torch.cuda.get_device_name(on) if on.type == "cuda" else f"{platform.machine()} CPU, {threads} threads"
    print(f"{len(files)} photos, faces from {min_face_px} px, {where}")
    seconds, detections = compare(ways, files, block, on)
    rate, stock_rate = _print_rates(seconds, len(files), block)
    same = [equal(*pair) for pair in zip(detections["stock, a photo at a time"], detections["ours"], strict=True)]
    print(f"the same on {sum(same)} of {len(same)} photos, {np.mean(same):.4f}")
    for file, is_same in zip(files, same, strict=True):
        if not is_same:
            print(f"  differs: {file}")
    what = f"finding faces from {min_face_px} px on {len(files)} photos, against facenet-pytorch's better way"
    report(
        [
            Outcome(what, f"{rate:.1f} photos/s", f"{stock_rate:.1f}", rate / stock_rate, 2 if device == "cpu" else 10),
            Outcome("photos with the same faces", f"{sum(same)}", f"{len(same)}", float(np.mean(same)), 0.995),
        ],
        record=record,
    )


def _print_rates(seconds: dict[str, list[float]], num_photos: int, block: int) -> tuple[float, float]:
    """Print each way's rate. Returns photos per second of ours and of the better stock way."""
    for name, times in seconds.items():
        print(f"{name:28} {num_photos / sum(times):7.1f} photos/s")
    ratios = [min(single, batch) / ours for single, batch, ours in zip(*seconds.values(), strict=True)]
    single, batch, ours = (sum(times) for times in seconds.values())
    print(f"ratio {min(single, batch) / ours:.2f} in all, {median(ratios):.2f} in the median block of {block}")
    return num_photos / ours, num_photos / min(single, batch)


def compare(
    ways: dict[str, Callable], files: list[Path], block: int, device: torch.device
) -> tuple[dict[str, list[float]], dict[str, list[Detections]]]:
    """Seconds per block, and the detections, of each way; the ways take turns to be first."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    detections: dict[str, list[Detections]] = {name: [] for name in ways}
    for number, start in enumerate(range(0, len(files), block)):
        batch = [read_photo(file) for file in files[start : start + block]]
        if number == 0:
            for way in ways.values():
                way(batch[:8])
        names = list(ways)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            _wait(device)
            begin = time.perf_counter()
            detections[name] += ways[name](batch)
            _wait(device)
            seconds[name].append(time.perf_counter() - begin)
    return seconds, detections


def equal(a: Detections, b: Detections) -> bool:
    """Whether two detectors found the same faces in a photo."""
    if len(a) != len(b):
        return False
    one, other = (np.lexsort((faces.boxes[:, 0].round(), faces.boxes[:, 1].round())) for faces in (a, b))
    return (
        np.abs(a.boxes[one] - b.boxes[other]).max(initial=0) <= MOST_PX
        and np.abs(a.landmarks[one] - b.landmarks[other]).max(initial=0) <= MOST_PX
        and np.abs(a.confidences[one] - b.confidences[other]).max(initial=0) <= MOST_CONFIDENCE
    )


def grow(folders: list[Path], num_photos: int) -> None:
    """Align photos of 96 px, hard links to a few files, and print the peak memory after a tenth and after all."""
    from dwmtl.crops.align import Source, align
    from dwmtl.datasets.data_set import manifest

    params = load_params().align.model_copy(update={"crops_a_shard": 1000})
    sources = _files(folders, 200)
    with tempfile.TemporaryDirectory() as name:
        photos = Path(name) / "photos"
        photos.mkdir()
        names = [f"{number:06d}.png" for number in range(num_photos)]
        for number, photo in enumerate(names):
            if number < len(sources):
                Image.open(sources[number]).convert("RGB").resize((96, 96)).save(photos / photo)
            else:
                (photos / photo).hardlink_to(photos / names[number % len(sources)])
        table = manifest({"photo": names, "subject": ["0"] * num_photos})
        for part in (num_photos // 10, num_photos):
            begin = time.perf_counter()
            crops = Path(name) / f"crops_{part}"
            crops.mkdir()
            align(
                table[:part],
                Source("folders", photos),
                crops,
                params,
                work_dir=crops.with_suffix(".work"),
                device=torch.device("cpu"),
            )
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{part:7,} photos  peak {peak:6.0f} MiB  {part / (time.perf_counter() - begin):6.1f} photos/s",
                flush=True,
            )


def _files(folders: list[Path], limit: int) -> list[Path]:
    """Files that can be decoded, sorted; at most `limit`, evenly spaced."""
    files = []
    for file in sorted(file for folder in folders for file in folder.rglob("*") if file.is_file()):
        try:
            read_photo(file)
        except UnreadablePhotoError:
            continue
        files.append(file)
    return files if not limit else files[:: -(-len(files) // limit)]


def _stock(stock: MTCNN, photos: np.ndarray) -> list[Detections]:
    boxes, confidences, landmarks = stock.detect(photos, landmarks=True)
    return [
        NO_FACES if box is None else Detections(*(np.asarray(value, np.float32) for value in values))
        for values in zip(boxes, confidences, landmarks, strict=True)
        for box in values[:1]
    ]


def _stock_by_size(stock: MTCNN, photos: list[np.ndarray]) -> list[Detections]:
    detections: dict[int, Detections] = {}
    for size in {photo.shape for photo in photos}:
        places = [place for place, photo in enumerate(photos) if photo.shape == size]
        detections |= dict(zip(places, _stock(stock, np.stack([photos[place] for place in places])), strict=True))
    return [detections[place] for place in range(len(photos))]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    typer.run(main)
