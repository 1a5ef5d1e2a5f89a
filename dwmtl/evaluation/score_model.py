"""Verification by a model of dwmtl on pictures that are crops already: a `.bin` pack, or a folder with a pairs file.

No face is detected: the pictures are scaled to the size of the crops that the model was trained on. A picture that
occurs in many pairs is embedded once. The result has the form of `score_pairs`.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from dwmtl.crops.crop import scale_crop
from dwmtl.crops.photos import decode_photo, read_photo
from dwmtl.datasets.data_set import NamedPictures
from dwmtl.datasets.lfw import photo_of_person
from dwmtl.datasets.packs.bin_pack import photo_names, read_bin_pack, verification_pairs
from dwmtl.datasets.pairs_file import read_pairs
from dwmtl.errors import DataSetError
from dwmtl.evaluation.embedding import embed
from dwmtl.network.model_card import ModelCard
from dwmtl.network.model_file import load_model
from dwmtl.scores.pair_scores import NamedPairs, PairScores, check_far_targets, score_named
from dwmtl.section import crop_size


@dataclass(frozen=True)
class ModelScoring:
    """How pictures are embedded and embeddings are compared.

    Attributes:
        batch_size: pictures embedded together; changes time and memory only.
        accelerator: `auto`, `cpu` or `cuda`.
        precision: see `embed`.
        distance, subtract_mean, far_targets: see `verify`.
        flip: how the mirrored picture's embedding is used, see `embed`.
    """

    batch_size: int = 64
    accelerator: str = "auto"
    precision: str = "32-true"
    distance: str = "squared_euclidean"
    flip: str = "none"
    subtract_mean: bool = False
    far_targets: Sequence[float] = (1e-3,)


class _Pictures(Dataset):
    """Pictures, each decoded when it is read and scaled to the size of the model's crops: (3, H, W) uint8."""

    def __init__(self, decode: list[Callable[[], np.ndarray]], card: ModelCard):
        self._decode = decode
        self._crop_size = crop_size(card.crop_px)
        self._form = card.detector.crop_form

    def __len__(self) -> int:
        return len(self._decode)

    def __getitem__(self, index: int) -> Tensor:
        crop = scale_crop(self._decode[index](), self._crop_size, form=self._form)
        return torch.from_numpy(np.array(crop)).permute(2, 0, 1)


def score_pack(model: Path, pack: Path, scoring: ModelScoring) -> PairScores:
    """Score a model on an insightface pack, in ten folds.

    A picture that is in the pack several times is named by its first position, such as `lfw/000012_a`.

    Args:
        model: a model's folder.
        pack: a `.bin` file, see `bin_pack`.
    Raises:
        ModelFileError: not a model of dwmtl.
        DataSetError: the pack cannot be read, has fewer than ten pairs, or a picture cannot be decoded.
        ProtocolError: a target is not a rate, or pairs or embeddings cannot be scored.
    """
    check_far_targets(scoring.far_targets)
    read = read_bin_pack(pack)
    names = photo_names(pack.stem, len(read.is_same))
    table = verification_pairs(names, read.is_same)
    rows: dict[bytes, int] = {}
    row_of = np.array([rows.setdefault(picture, len(rows)) for picture in read.pictures])
    _, first = np.unique(row_of, return_index=True)
    pairs = NamedPairs(
        [names[index] for index in first],
        row_of[::2],
        row_of[1::2],
        table["is_same_identity"].to_numpy(bool),
        table["fold"].to_numpy(),
    )
    decode = [_decoder(picture, f"{pack}, picture {index}") for picture, index in zip(rows, first, strict=True)]
    return _score(model, decode, pairs, scoring, {"pack": pack.name})


def score_folder(model: Path, folder: Path, pairs_path: Path, scoring: ModelScoring) -> PairScores:
    """Score a model on a folder of crops, `Aaron_Eckhart/Aaron_Eckhart_0001.jpg`, over the pairs of a file.

    Args:
        folder: pictures of any form, see `data_set.NamedPictures`; those that no pair names are not looked at.
        pairs_path: see `pairs_file`; its blocks are the folds.
    Raises:
        As `score_pack`.
    """
    check_far_targets(scoring.far_targets)
    if not folder.is_dir():
        raise DataSetError(f"{folder}: no such folder of crops.")
    pictures = NamedPictures(folder)
    rows: dict[str, int] = {}
    files: list[Path] = []
    rows_a, rows_b, is_same, folds = array("q"), array("q"), array("b"), array("q")
    for pair in read_pairs(pairs_path):
        for name, side in ((pair.image_a, rows_a), (pair.image_b, rows_b)):
            if name not in rows:
                rows[name] = len(rows)
                files.append(folder / photo_of_person(pictures, f"{pairs_path}, line {pair.line}", name))
            side.append(rows[name])
        is_same.append(pair.is_same)
        folds.append(pair.fold)
    pairs = NamedPairs(list(rows), np.array(rows_a), np.array(rows_b), np.array(is_same, dtype=bool), np.array(folds))
    decode = [_reader(file) for file in files]
    return _score(model, decode, pairs, scoring, {"folder": folder.name, "pairs": pairs_path.name})


def _decoder(picture: bytes, name: str) -> Callable[[], np.ndarray]:
    return lambda: decode_photo(picture, name)


def _reader(file: Path) -> Callable[[], np.ndarray]:
    return lambda: read_photo(file)


def _score(
    model: Path,
    decode: list[Callable[[], np.ndarray]],
    pairs: NamedPairs,
    scoring: ModelScoring,
    sources: dict[str, object],
) -> PairScores:
    network, card = load_model(model)
    answers = embed(
        network,
        _Pictures(decode, card),
        flip=scoring.flip,
        batch_size=scoring.batch_size,
        accelerator=scoring.accelerator,
        num_workers=0,
        title="embed",
        precision=scoring.precision,
    )
    return score_named(
        answers.embeddings,
        pairs,
        distance=scoring.distance,
        subtract_mean=scoring.subtract_mean,
        far_targets=scoring.far_targets,
        settings={
            "model": Path(model).name,
            "model_sha256": card.weights_sha256,
            "crop_px": card.crop_px,
            "flip": scoring.flip,
            "precision": scoring.precision,
            **sources,
        },
    )
