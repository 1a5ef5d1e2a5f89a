"""The threshold that a model is used with: below which distance two faces count as the same person.

The LFW protocol chooses a fold's threshold on the other folds' pairs. A use outside the protocol has no folds: it takes
the mean of their thresholds. They were found on people whom the model never saw, and no score of the protocol is made
with their mean. It suits a use in which genuine and impostor pairs are equally many, as they are in the protocol; where
impostors are many or a false accept is dear, a smaller one is right.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dwmtl.errors import ThresholdError
from dwmtl.evaluation.params import EvaluateParams

if TYPE_CHECKING:  # a use of a model needs no tables
    import pandas as pd

THRESHOLD_FILE = "threshold.json"


@dataclass(frozen=True)
class Threshold:
    """When two faces count as one person.

    Attributes:
        value: the same person if the distance is strictly smaller.
        distance: `squared_euclidean` (in [0, 4]) or `cosine` (in [0, 2]), see `verification.pair_distances`.
        source: where the value comes from, for a reader.
    """

    value: float
    distance: str
    source: str


def threshold_record(pairs: "pd.DataFrame", params: EvaluateParams, *, model_sha256: str) -> dict[str, object]:
    """What `threshold.json` holds of a fold's evaluation, under the keys of a scores file (see `score_pairs`).

    Args:
        pairs: columns `tables.EVALUATED_PAIRS`; the rows of the verification set count.
        model_sha256: of the weights that were evaluated.
    """
    others = pairs[pairs["set"] == "verification"]
    return {
        "num_pairs": len(others),
        "threshold_per_fold": others.groupby("fold")["threshold"].first().tolist(),
        "settings": {
            "distance": params.distance,
            "flip": params.flip,
            "subtract_mean": params.subtract_mean,
            "model_sha256": model_sha256,
        },
    }


def read_threshold(path: Path, *, model_sha256: str) -> Threshold:
    """The threshold of a `threshold.json`, or of a scores file by `dwmtl evaluate`.

    Args:
        model_sha256: of the weights it is to be used with.
    Raises:
        ThresholdError: no such file, none of ours, of another model, or of embeddings that were changed before they
            were compared (mirrored crops added, a mean taken away), which a use of the model does not do.
    """
    record = _read(path)
    try:
        settings, thresholds = record["settings"], [float(value) for value in record["threshold_per_fold"]]
        distance, num_pairs = settings["distance"], int(record["num_pairs"])
        changed = settings["flip"] != "none" or (settings["subtract_mean"] and distance == "cosine")
        theirs = settings["model_sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise ThresholdError(
            f"{path}: no thresholds of a model ({type(error).__name__}: {error}). `dwmtl evaluate` writes such a file."
        ) from None
    if theirs != model_sha256:
        raise ThresholdError(
            f"{path}: found with another model ({str(theirs)[:12]}, not {model_sha256[:12]}). Evaluate this one."
        )
    if changed or distance not in ("squared_euclidean", "cosine"):
        raise ThresholdError(
            f"{path}: found with distance {distance}, flip {settings['flip']}, subtract_mean "
            f"{settings['subtract_mean']}. Evaluate with flip none, and no mean taken away."
        )
    if not thresholds or not np.isfinite(thresholds).all():
        raise ThresholdError(f"{path}: threshold_per_fold holds no numbers. Evaluate the model again.")
    source = f"mean over {len(thresholds)} folds of {num_pairs} pairs, {path}"
    return Threshold(float(np.mean(thresholds)), distance, source)


def _read(path: Path) -> dict:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ThresholdError(f"{path}: no such file of thresholds.") from None
    except (OSError, ValueError) as error:
        raise ThresholdError(f"{path}: no JSON file that can be read ({error}).") from None
