"""Photos per second of a whole set, from JPEG to crops on disk, against facenet-pytorch's `MTCNN` with `save_path`.

    python benchmarks/align_set.py --photos ../shared/real/lfw_view2 --limit 3000

Ours is what the stage `align` does: a process per core for a large set, their start included. The other decodes,
detects and saves batches of equal sizes with as many torch threads as there are cores, its better way on such photos.
"""

import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from outcome import Outcome, report
from PIL import Image

from dwmtl.cores import num_cores
from dwmtl.crops.align import Source, align
from dwmtl.datasets.data_set import manifest
from dwmtl.params import load_params

BLOCK = 64


def main(
    photos: Annotated[Path, typer.Option(help="a folder of JPEG photos, searched recursively")],
    limit: Annotated[int, typer.Option(help="photos at most, spread over all; 0: all")] = 0,
    record: Annotated[bool, typer.Option(help="append to docs/benchmarks.md")] = False,
) -> None:
    """Measure, print, and keep."""
    names = sorted(str(path.relative_to(photos)) for path in photos.rglob("*.jp*g"))
    names = names[:: -(-len(names) // limit)] if limit else names
    import_module("facenet_pytorch")  # untimed, as our own imports are
    with tempfile.TemporaryDirectory() as folder:
        ours = seconds_of(ours_into, names, photos, Path(folder) / "ours")
        other = seconds_of(stock_into, names, photos, Path(folder) / "stock")
    rates = [len(names) / seconds for seconds in (ours, other)]
    what = f"aligning a set of {len(names)} photos on {num_cores()} cores, files to files, against facenet-pytorch"
    report([Outcome(what, *(f"{rate:.1f} photos/s" for rate in rates), other / ours, 3)], record=record)


def seconds_of(way, names: list[str], photos: Path, out: Path) -> float:
    """How long a way takes to write the crops of photos into a folder."""
    out.mkdir()
    start = time.perf_counter()
    way(names, photos, out)
    return time.perf_counter() - start


def ours_into(names: list[str], photos: Path, out: Path) -> None:
    """As the stage `align` does it."""
    table = manifest({"photo": names, "subject": ["0"] * len(names)})
    align(
        table,
        Source("folders", photos),
        out,
        load_params().align,
        work_dir=out.with_suffix(".work"),
        device=torch.device("cpu"),
        num_workers=None,
    )


def stock_into(names: list[str], photos: Path, out: Path) -> None:
    """As facenet-pytorch's examples do it, in batches of photos of one size."""
    from facenet_pytorch import MTCNN  # not above: our processes, which import this file, would take a second longer

    torch.set_num_threads(num_cores())
    params = load_params().align
    mtcnn = MTCNN(
        image_size=params.crop_px,
        margin=params.margin_px,
        min_face_size=params.min_face_px,
        thresholds=list(params.thresholds),
        factor=params.pyramid_factor,
        post_process=False,
    )
    for start in range(0, len(names), BLOCK):
        by_size: dict[tuple[int, ...], list[tuple[str, np.ndarray]]] = {}
        for name in names[start : start + BLOCK]:
            pixels = np.asarray(Image.open(photos / name).convert("RGB"))
            by_size.setdefault(pixels.shape, []).append((name, pixels))
        for group in by_size.values():
            try:
                mtcnn(np.stack([pixels for _, pixels in group]), save_path=[str(out / name) for name, _ in group])
            except ValueError:  # where a photo of a batch has no face, facenet-pytorch fails with NumPy from 1.24 on
                for name, pixels in group:
                    mtcnn(pixels, save_path=str(out / name))


if __name__ == "__main__":
    typer.run(main)
