"""A manifest of MS-Celeb's size, indexed, joined, labelled and split: time and memory of each step, and the rows per
second against a tenth of the size.

    python benchmarks/manifest_scale.py --num-photos 5800000 [--record]

The rows are synthetic; no picture is read. The steps are those of the stages `index` and `labels` on an identity set,
and the folds of an expression set with as many subjects.
"""

import resource
import tempfile
import time
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from outcome import Outcome, report

from dwmtl.datasets.data_set import manifest
from dwmtl.protocol.folds import assign_folds, split
from dwmtl.protocol.identities import label_identities
from dwmtl.tables import IDENTITY_LABELS, MANIFEST, read_manifests, write_table


def main(
    num_photos: int = 5_800_000,
    photos_a_subject: int = 60,
    num_folds: int = 10,
    record: Annotated[bool, typer.Option(help="append to docs/benchmarks.md")] = False,
) -> None:
    """Print a row per step, and the growth."""
    few = num_photos // 10
    few_seconds = seconds(few, photos_a_subject, num_folds)
    many_seconds = seconds(num_photos, photos_a_subject, num_folds)
    report(
        [
            Outcome(
                f"indexing, labelling and splitting {num_photos:,} rows, at most {peak_gib():.2f} GiB, against {few:,}",
                f"{num_photos / many_seconds:,.0f} rows/s",
                f"{few / few_seconds:,.0f} rows/s",
                few_seconds / many_seconds * num_photos / few,
            )
        ],
        record=record,
    )


def seconds(num_photos: int, photos_a_subject: int, num_folds: int) -> float:
    """Seconds of all steps."""
    print(f"{num_photos:,} photos")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        index(Path(name), num_photos, photos_a_subject)
        labels = label(Path(name))
        folds = timed("labels: folds", lambda: assign_folds(labels["subject"].unique(), num_folds=num_folds, seed=None))
        by_subject = folds.set_index("subject")["fold"]
        timed("split", lambda: split(labels.assign(fold=labels["subject"].map(by_subject)), 0))
    return time.perf_counter() - start


def index(folder: Path, num_photos: int, photos_a_subject: int) -> None:
    table = timed("index: rows -> manifest", lambda: synthetic(num_photos, photos_a_subject))
    timed("index: manifest.csv written", lambda: write_table(table, folder / "faces/manifest.csv", MANIFEST))


def label(folder: Path) -> pd.DataFrame:
    joined = timed("labels: manifest.csv read, joined", lambda: read_manifests(folder, ["faces"]))
    labels = timed("labels: identities", lambda: label_identities(joined))
    timed("labels: identity.csv written", lambda: write_table(labels, folder / "identity.csv", IDENTITY_LABELS))
    return labels


def synthetic(num_photos: int, photos_a_subject: int) -> pd.DataFrame:
    """A manifest like that of a RecordIO pack's adapter."""
    subjects = [f"{number // photos_a_subject:07d}" for number in range(num_photos)]
    photos = [f"{subject}/{number:09d}" for number, subject in enumerate(subjects)]
    return manifest({"photo": photos, "subject": subjects})


def timed(step: str, work):
    """Run the work and print its time and the process's peak memory so far."""
    start = time.perf_counter()
    result = work()
    print(f"{step:36} {time.perf_counter() - start:6.1f} s   peak {peak_gib():.2f} GiB", flush=True)
    return result


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    typer.run(main)
