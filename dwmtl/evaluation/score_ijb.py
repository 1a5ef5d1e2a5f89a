"""Verification by a model of dwmtl on the templates of IJB-B or IJB-C.

Faces are embedded batch by batch and added to their templates: no more than the templates' sums are in memory.
"""

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from dwmtl.crops.crop import similarity, warp
from dwmtl.crops.photos import read_photo
from dwmtl.datasets.ijb import CROPS_DIR, TemplateFaces, read_ijb
from dwmtl.evaluation.embedding import embed_batches
from dwmtl.evaluation.score_model import ModelScoring
from dwmtl.network.model_file import load_model
from dwmtl.scores.pair_scores import check_far_targets
from dwmtl.scores.templates import TemplateScores, TemplateSums, score_templates
from dwmtl.section import crop_size

log = logging.getLogger(__name__)


class _WarpedFaces(Dataset):
    """Faces, their landmarks laid on the template of the crop form `similarity`: (3, H, W) uint8."""

    def __init__(self, folder: Path, faces: TemplateFaces, size: tuple[int, int]):
        self._folder, self._faces, self._size = folder / CROPS_DIR, faces, size

    def __len__(self) -> int:
        return len(self._faces.crops)

    def __getitem__(self, index: int) -> Tensor:
        photo = read_photo(self._folder / self._faces.crops[index])
        crop = warp(photo, similarity(self._faces.landmarks[index], crop_size=self._size), crop_size=self._size)
        return torch.from_numpy(np.array(crop)).permute(2, 0, 1)


def score_ijb(model: Path, folder: Path, scoring: ModelScoring, *, weigh_faces: bool) -> TemplateScores:
    """Score a model on IJB-B or IJB-C, 1:1.

    Embeddings have unit length before they are pooled, as with insightface's `use_norm_score = False`; by default its
    evaluation keeps the length that the network gives them.

    Args:
        model: a model's folder.
        folder: the set's, see `datasets.ijb`.
        scoring: `distance` and `subtract_mean` have no effect: the score is the cosine.
        weigh_faces: multiply each face's embedding by its detection score, as insightface does.
    Raises:
        ModelFileError: not a model of dwmtl.
        DataSetError: the set cannot be read. UnreadablePhotoError: a picture of it cannot be decoded.
        ProtocolError: a target is not a rate, or a template has no direction.
    """
    check_far_targets(scoring.far_targets)
    network, card = load_model(model)
    faces, pairs = read_ijb(folder)
    if card.detector.crop_form != "similarity":
        log.warning("%s was trained on %s crops, and IJB's are similarity crops", model, card.detector.crop_form)
    weights = faces.confidences if weigh_faces else np.ones(len(faces.crops))
    sums, num_added = TemplateSums(faces.templates, faces.media, weights), 0
    batches = embed_batches(
        network,
        _WarpedFaces(folder, faces, crop_size(card.crop_px)),
        flip=scoring.flip,
        batch_size=scoring.batch_size,
        accelerator=scoring.accelerator,
        num_workers=0,
        title="embed",
        precision=scoring.precision,
    )
    for answers in batches:
        rows = np.arange(num_added, num_added + len(answers.embeddings))
        sums.add(rows, answers.embeddings)
        num_added += len(rows)
    return score_templates(
        sums.unit_length(list(faces.template_rows)),
        pairs.rows_a,
        pairs.rows_b,
        pairs.is_same,
        num_faces=len(faces.crops),
        far_targets=scoring.far_targets,
        settings={
            "model": Path(model).name,
            "model_sha256": card.weights_sha256,
            "crop_px": card.crop_px,
            "crop_form": "similarity",
            "flip": scoring.flip,
            "precision": scoring.precision,
            "weigh_faces": weigh_faces,
            "folder": folder.name,
        },
    )
