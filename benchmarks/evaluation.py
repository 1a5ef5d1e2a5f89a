"""Crops per second of a verification set's evaluation, from files to the ten-fold accuracy, against a plain loop.

    python benchmarks/evaluation.py --model data/models/fold_0 --folder crops --pairs pairs.txt

The plain loop reads a crop, runs the network on it alone in float32, and scores pairs and thresholds one by one.
Without options: noise of 112 px, random pairs and the default network with its initial weights.
"""

import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from outcome import Outcome, report
from training import two_tasks, write_crops

from dwmtl.crops.aligned import read_crop
from dwmtl.datasets.data_set import NamedPictures
from dwmtl.datasets.lfw import photo_of_person
from dwmtl.datasets.pairs_file import read_pairs
from dwmtl.evaluation.embedding import CropFiles, embed
from dwmtl.network.model_file import load_model
from dwmtl.network.network import FaceNetwork
from dwmtl.params import load_params
from dwmtl.scores.verification import verify

THRESHOLDS = np.arange(0, 4, 0.01)
MOST_DIFFERENCE = 1e-3
"""Between the accuracies in bf16 and float32."""


def main(
    model: Annotated[Path | None, typer.Option(help="a model's folder")] = None,
    folder: Annotated[Path | None, typer.Option(help="its crops, Name/Name_0001.png")] = None,
    pairs: Annotated[Path | None, typer.Option(help="LFW's pairs.txt, or a file like it")] = None,
    num_crops: Annotated[int, typer.Option(help="crops of noise, without --model")] = 64,
    num_plain: Annotated[int, typer.Option(help="crops that the plain loop embeds; 0: all")] = 0,
    record: Annotated[bool, typer.Option(help="append to docs/benchmarks.md")] = False,
) -> None:
    """Measure, print, and keep."""
    with tempfile.TemporaryDirectory() as name:
        if model and folder and pairs:
            network, (files, rows, is_same, folds) = load_model(model)[0], pairs_of(folder, pairs)
        else:
            torch.manual_seed(0)
            network, (files, rows, is_same, folds) = two_tasks(load_params()), made_pairs(Path(name), num_crops)
        seconds, accuracies = {}, {}
        for precision in ("32-true", "bf16-mixed"):
            start = time.perf_counter()
            answers = embed(
                network,
                CropFiles(files),
                flip="none",
                batch_size=64,
                accelerator="cpu",
                num_workers=0,
                title=precision,
                precision=precision,
            )
            score = verify(
                answers.embeddings,
                *rows,
                is_same,
                folds,
                distance="squared_euclidean",
                subtract_mean=False,
                far_targets=[0.01],
            )
            seconds[precision], accuracies[precision] = time.perf_counter() - start, score.accuracy_mean
        start = time.perf_counter()
        plain(network, files[: num_plain or None], rows, is_same, folds)
        plain_rate = len(files[: num_plain or None]) / (time.perf_counter() - start)
    what = f"evaluation of {len(files)} crops in {len(folds)} pairs"
    difference = abs(accuracies["32-true"] - accuracies["bf16-mixed"])
    rates = {precision: len(files) / s for precision, s in seconds.items()}
    report(
        [
            *(
                Outcome(
                    f"{what}, {precision}, against a crop at a time",
                    f"{rate:.1f} crops/s",
                    f"{plain_rate:.1f} crops/s",
                    rate / plain_rate,
                )
                for precision, rate in rates.items()
            ),
            Outcome(
                "their accuracies, bf16-mixed and 32-true, within 0.001",
                *(f"{accuracies[precision]:.4f}" for precision in ("bf16-mixed", "32-true")),
                float(difference <= MOST_DIFFERENCE),
            ),
        ],
        record=record,
    )


Pairs = tuple[list[Path], tuple[np.ndarray, np.ndarray], np.ndarray, np.ndarray]
"""Crops; the pairs' places among them, (N,) twice; whether they show one person (N,); their folds (N,)."""


def pairs_of(folder: Path, pairs: Path) -> Pairs:
    """The pairs of a file and the crops that they name."""
    pictures, read = NamedPictures(folder), list(read_pairs(pairs))
    sides = [
        [photo_of_person(pictures, str(pairs), getattr(pair, side)) for pair in read] for side in ("image_a", "image_b")
    ]
    files = sorted({*sides[0], *sides[1]})
    place = {file: number for number, file in enumerate(files)}
    rows = [np.array([place[file] for file in side]) for side in sides]
    same, folds = np.array([pair.is_same for pair in read]), np.array([pair.fold for pair in read])
    return [folder / file for file in files], (rows[0], rows[1]), same, folds


def made_pairs(folder: Path, num_crops: int) -> Pairs:
    """Noise, in random pairs of ten folds."""
    number = np.arange(200)
    rows = np.random.default_rng(0).integers(0, num_crops, (2, len(number)))
    return write_crops(folder, num_crops, 112), (rows[0], rows[1]), number // 10 % 2 == 0, number % 10


def plain(network: FaceNetwork, files: list[Path], rows: tuple[np.ndarray, np.ndarray], is_same, folds) -> float:
    """The ten-fold accuracy by plain loops; pairs of crops that were left out count as distance 0."""
    embeddings = []
    with torch.inference_mode():
        for file in files:
            crop = torch.from_numpy(read_crop(file)).permute(2, 0, 1)[None]
            embeddings.append(network(network.standardize(crop)).embedding[0].numpy())
    distances = np.array(
        [
            ((embeddings[a] - embeddings[b]) ** 2).sum() if max(a, b) < len(embeddings) else 0.0
            for a, b in zip(*rows, strict=True)
        ]
    )
    accuracies = []
    for fold in np.unique(folds):
        best = max(THRESHOLDS, key=lambda threshold: ((distances < threshold) == is_same)[folds != fold].mean())
        accuracies.append(((distances < best) == is_same)[folds == fold].mean())
    return float(np.mean(accuracies))


if __name__ == "__main__":
    typer.run(main)
