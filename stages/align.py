"""Stage `align`, per set: photos and their manifest -> aligned crops, and a row per photo on how it was cropped."""

import logging
import re
import shutil
import time
from pathlib import Path
from typing import Annotated

import typer

from dwmtl.crops.align import Source, align
from dwmtl.crops.alignment_outcome import outcome
from dwmtl.crops.unreadable import require_all_readable
from dwmtl.device import device_of
from dwmtl.files import whole_folder
from dwmtl.params import load_params, set_params
from dwmtl.stage import run
from dwmtl.tables import CROPS, FAILURES, MANIFEST, read_table, write_table

log = logging.getLogger("align")


def main(
    set_: Annotated[str, typer.Option("--set")],
    index: Path,
    out: Path,
    params: Path = Path("params.yaml"),
    work: Annotated[Path, typer.Option(help="folder for the finished part of a killed run")] = Path(".dwmtl/align"),
) -> None:
    """Find the face of every photo and crop it; scale pictures that are crops already."""
    values = load_params(params)
    role = set_params(values, set_)
    source = Source(role.adapter, Path(role.folder), role.is_aligned, role.enlarge_to_px)
    manifest = read_table(index / "manifest.csv", MANIFEST)
    device = device_of("cpu" if role.is_aligned else values.compute.accelerator, asked_by="compute.accelerator")
    num_workers = values.compute.num_workers
    work_dir = work / re.sub(r"\W+", "_", str(out)).strip("_")
    failures_path = out.with_name(f"{out.name}.failures.csv")
    start_s = time.perf_counter()
    with whole_folder(out) as folder:
        aligned = align(
            manifest, source, folder, values.align, work_dir=work_dir, device=device, num_workers=num_workers
        )
        result = outcome(aligned, duration_s=time.perf_counter() - start_s)
        log.info("%s: %s", set_, result)
        for warning in result.warnings(source.photos_dir):
            log.warning(warning)
        write_table(aligned.failures, failures_path, FAILURES)  # kept if the next lines raise
        if role.role != "identity":
            require_all_readable(aligned.failures, source.photos_dir, name=set_, failures_path=failures_path)
        failures_path.unlink()
        write_table(aligned.crops, folder / "crops.csv", CROPS)
        write_table(aligned.failures, folder / "failures.csv", FAILURES)
    shutil.rmtree(work_dir)


if __name__ == "__main__":
    run(main)
