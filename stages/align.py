"""Stage `align`, a set: photos and their manifest -> aligned crops, and a row a photo on how each was cut."""

import logging
import re
import shutil
import time
from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
import typer

from dwmtl.crops.align import Source, align
from dwmtl.device import device_of
from dwmtl.errors import UnreadablePhotoError
from dwmtl.params import load_params, set_params
from dwmtl.stage import run, whole_folder
from dwmtl.tables import CROPS, FAILURES, MANIFEST, read_table, write_table

log = logging.getLogger("align")


def main(
    set_: Annotated[str, typer.Option("--set")],
    index: Path,
    out: Path,
    params: Path = Path("params.yaml"),
    work: Annotated[Path, typer.Option(help="where a killed run leaves what is finished")] = Path(".dwmtl/align"),
) -> None:
    """Find the face of every photo and crop it; pictures that are crops already are scaled."""
    values = load_params(params)
    role = set_params(values, set_)
    source = Source(role.adapter, Path(role.folder), role.is_aligned)
    torch.set_num_threads(1)  # as in every worker: the same bytes whatever their number
    accelerator = "cpu" if role.is_aligned else values.compute.accelerator
    device = device_of(accelerator, asked_by="compute.accelerator")
    listed = out.with_name(f"{out.name}.failures.csv")
    work_dir = work / re.sub(r"\W+", "_", str(out)).strip("_")
    start = time.perf_counter()
    with whole_folder(out) as folder:
        manifest = read_table(index / "manifest.csv", MANIFEST)
        aligned = align(
            manifest,
            source,
            folder,
            values.align,
            work_dir=work_dir,
            device=device,
            num_workers=values.compute.num_workers,
        )
        counts = aligned.crops["status"].value_counts()
        outcome = ", ".join(f"{number} {status}" for status, number in counts.items())
        rate = len(aligned.crops) / (time.perf_counter() - start)
        log.info("%s: %s of %d photos, %.1f photos/s", set_, outcome, len(aligned.crops), rate)
        if counts.get("fallback", 0) > len(aligned.crops) / 2:
            log.warning(
                "most photos of %s show no face: is align.min_face_px too large, or the folder wrong?", role.folder
            )
        unreadable = aligned.failures[aligned.failures["status"] == "unreadable"]
        if len(unreadable) and role.role != "identity":
            write_table(aligned.failures, listed, FAILURES)
            raise UnreadablePhotoError(_complaint(set_, source.photos_dir, unreadable, listed))
        listed.unlink(missing_ok=True)  # an earlier run's, now mended
        write_table(aligned.crops, folder / "crops.csv", CROPS)
        write_table(aligned.failures, folder / "failures.csv", FAILURES)
    shutil.rmtree(work_dir)


def _complaint(name: str, photos_dir: Path, unreadable: pd.DataFrame, listed: Path) -> str:
    """Every photo of this set is evaluated, so each must be readable; name those that are not."""
    lines = [f"{photos_dir / row.photo}: {row.reason}" for row in unreadable.head(20).itertuples()]
    if len(unreadable) > len(lines):
        lines.append(f"... and {len(unreadable) - len(lines)} more: {listed}")
    files = "\n  ".join(lines)
    return f"{len(unreadable)} photos of the {name} set cannot be read, and every one is evaluated:\n  {files}"


if __name__ == "__main__":
    run(main)
