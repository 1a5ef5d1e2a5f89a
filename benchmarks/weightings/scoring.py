"""The scores of a training of the comparison, as counts from which its accuracies and their intervals follow."""

import json
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from frozen import BATCH_SIZE
from torch import Tensor
from torch.nn import functional
from trainings import Outcome, Prepared

from dwmtl.device import autocast
from dwmtl.network.network import EXPRESSION, IDENTITY, FaceNetwork
from dwmtl.params import Params
from dwmtl.protocol.folds import split
from dwmtl.scores.verification import verify
from dwmtl.tables import EXPRESSION_LABELS, VERIFICATION_PAIRS, read_table


def score(outcome: Outcome, prepared: Prepared, params: Params, *, fold: int) -> dict[str, object]:
    """Right answers of all answers by test subject (`expression`) and by block of pairs (`verification`).

    The subjects are those of the fold, the pairs those of the data set's verification set. A photo without a face found
    counts as wrong.
    """
    labels = read_table(prepared.project / "data/labels/expression.csv", EXPRESSION_LABELS, others_are_text=True)
    classes = json.loads((prepared.project / "data/labels/classes.json").read_text())["expressions"]
    tested = split(labels, fold)[1]
    tested = tested[tested["expression"].isin(classes)]
    predicted = expressions_of(outcome.network, prepared, tested["photo"], classes)
    is_right = predicted == tested["expression"].to_numpy()
    return {
        "expression": counts(tested["subject"], is_right),
        "majority": float(tested["expression"].value_counts(normalize=True).max()),
        "verification": verification_counts(outcome.network, prepared, params),
    }


def expressions_of(network: FaceNetwork, prepared: Prepared, photos: pd.Series, classes: list[str]) -> np.ndarray:
    """The expression told of each photo; empty where no face was found."""
    rows, told = prepared.expression_rows(photos), np.full(len(photos), "", dtype=object)
    found = np.flatnonzero(rows >= 0)
    with torch.inference_mode():
        parts = [network(part).logits[EXPRESSION].argmax(dim=1) for part in inputs(prepared.expression, rows[found])]
    told[found] = np.array(classes, dtype=object)[torch.cat(parts).numpy()]
    return told


def verification_counts(network: FaceNetwork, prepared: Prepared, params: Params) -> dict[str, list[int]]:
    """Of each block of the verification set: pairs told right, and all."""
    pairs = read_table(prepared.project / "data/pairs/verification.csv", VERIFICATION_PAIRS)
    outcome = verify(
        embeddings_of(network, prepared, params),
        *(prepared.verification_rows(pairs[side]) for side in ("photo_a", "photo_b")),
        pairs["is_same_identity"].to_numpy(bool),
        pairs["fold"].to_numpy(),
        distance=params.evaluate.distance,
        subtract_mean=params.evaluate.subtract_mean,
        far_targets=params.evaluate.far_targets,
    )
    return counts(pairs["fold"], outcome.accepted == pairs["is_same_identity"].to_numpy(bool))


def embeddings_of(network: FaceNetwork, prepared: Prepared, params: Params) -> np.ndarray:
    """(M, D), unit length, of the verification set's crops; the other tasks' branches are not run."""
    network.eval()
    parts, device = [], next(network.parameters()).device
    with torch.inference_mode(), autocast(device, params.evaluate.precision):
        for part in inputs(prepared.verification, np.arange(len(prepared.verification))):
            vectors = network.branches[IDENTITY](network.trunk(part.to(device)))
            parts.append(functional.normalize(vectors.float(), dim=1).cpu())
    return torch.cat(parts).numpy()


def inputs(features: np.ndarray, rows: np.ndarray) -> Iterator[Tensor]:
    """Batches of the crops as they are, (B, C, h, w) float32."""
    for start in range(0, len(rows), BATCH_SIZE):
        part = torch.from_numpy(np.array(features[rows[start : start + BATCH_SIZE], 0])).float()
        yield part.contiguous(memory_format=torch.channels_last)


def counts(units: pd.Series, is_right: np.ndarray) -> dict[str, list[int]]:
    """By unit of resampling (subject, block): how many answers are right, of how many."""
    of_units = pd.Series(is_right).groupby(units.to_numpy()).agg(["sum", "size"])
    return {str(unit): [int(right), int(size)] for unit, right, size in of_units.itertuples()}
