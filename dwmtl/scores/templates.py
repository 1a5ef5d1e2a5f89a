"""Verification of templates, each a set of faces of one person, as in IJB-B and IJB-C 1:1. Pure; opens no file.

A template's vector is the sum over its media of the mean of each medium's embeddings, at unit length; a pair's score is
the cosine. There is one ROC over all pairs, no folds and no threshold.
Source: insightface, recognition/_evaluation_/ijb.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dwmtl.errors import ProtocolError
from dwmtl.scores.distances import distances_of_pairs
from dwmtl.scores.exact_roc import RULE_OF_30, exact_roc, num_impostors_needed


@dataclass(frozen=True)
class TemplateTar:
    """TAR at a FAR, see `ExactRoc.tar_within`.

    Attributes:
        tar: None where the target allows no impostor pair to be accepted.
        num_impostors: impostor pairs that the target allows to be accepted: the number that the TAR rests on.
        num_impostors_needed: impostor pairs of the set that would allow one.
        is_rough: whether the TAR rests on fewer than 30.
    """

    far_target: float
    tar: float | None
    num_impostors: int
    num_impostors_needed: int
    is_rough: bool


@dataclass(frozen=True, kw_only=True)
class TemplateScores:
    """The scores of pairs of templates; fractions, not rounded. `tar_at_far`: one per target, in their order."""

    num_faces: int
    num_templates: int
    num_genuine: int
    num_impostor: int
    tar_at_far: list[TemplateTar]
    settings: Mapping[str, object]


class TemplateSums:
    """The sums of T templates, to which faces are added in any order, batch by batch: T * D float64 are in memory.

    Args:
        templates, media: (N,) int, each face's template in 0..T-1, and its medium in 0..M-1, which is of one template.
        weights: (N,), of each face, >= 0; 1 weighs all alike.
    """

    def __init__(self, templates: np.ndarray, media: np.ndarray, weights: np.ndarray):
        self._templates = templates
        self._shares = weights / np.bincount(media)[media]  # the mean is over faces, not weights: as insightface
        self._sums: np.ndarray | None = None

    def add(self, faces: np.ndarray, embeddings: np.ndarray) -> None:
        """Add the embeddings (n, D) of faces, (n,) row numbers."""
        if self._sums is None:
            self._sums = np.zeros((int(self._templates.max()) + 1, embeddings.shape[1]))
        np.add.at(self._sums, self._templates[faces], embeddings * self._shares[faces, None])

    def unit_length(self, ids: Sequence[int]) -> np.ndarray:
        """The templates' vectors, (T, D) float64; they take the place of the sums.

        Args:
            ids: of the T templates, for messages.
        Raises:
            ProtocolError: a vector is not finite, or has length 0.
        """
        assert self._sums is not None  # a set has faces
        lengths = np.linalg.norm(self._sums, axis=1)
        bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
        if len(bad):
            raise ProtocolError(
                f"the faces of template {ids[bad[0]]} add up to no direction: their weights are 0, they cancel each "
                "other, or the model is broken."
            )
        self._sums /= lengths[:, None]
        return self._sums


def score_templates(
    templates: np.ndarray,
    rows_a: np.ndarray,
    rows_b: np.ndarray,
    is_same: np.ndarray,
    *,
    num_faces: int,
    far_targets: Sequence[float],
    settings: Mapping[str, object],
) -> TemplateScores:
    """Score P pairs of T templates.

    Args:
        templates: (T, D), unit length.
        rows_a, rows_b: (P,) int. is_same: (P,) bool, both kinds among them.
        settings: what was scored, and how.
    """
    roc = exact_roc(distances_of_pairs(templates, rows_a, rows_b, "cosine"), is_same)
    targets = np.asarray(far_targets, float)
    return TemplateScores(
        num_faces=num_faces,
        num_templates=len(templates),
        num_genuine=len(roc.genuine),
        num_impostor=len(roc.impostor),
        tar_at_far=[
            TemplateTar(
                far_target=float(target),
                tar=float(tar) if num_allowed else None,
                num_impostors=int(num_allowed),
                num_impostors_needed=num_impostors_needed(target),
                is_rough=bool(0 < num_allowed < RULE_OF_30),
            )
            for target, tar, num_allowed in zip(targets, roc.tar_within(targets), roc.num_allowed(targets), strict=True)
        ],
        settings=settings,
    )
