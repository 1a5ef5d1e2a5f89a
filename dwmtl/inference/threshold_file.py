"""Reads the threshold of a model from a file: `threshold.json`, or a scores file of `dwmtl evaluate`."""

import json
import math
from pathlib import Path

from dwmtl.errors import ThresholdError
from dwmtl.scores.threshold import FoldThresholds, ModelComparison, Threshold, operating_threshold


def read_threshold(path: Path, *, model_sha256: str) -> Threshold:
    """Read the threshold from a `threshold.json`, or a scores file of `dwmtl evaluate`.

    Args:
        model_sha256: SHA-256 of the weights that it is used with.
    Raises:
        ThresholdError: there is no such file, it has another form, it is of another model, or of embeddings that were
            changed before the comparison (mirrored crops added, a mean subtracted), which is not done in use.
    """
    thresholds = _fold_thresholds(path)
    settings = thresholds.settings
    if settings.model_sha256 != model_sha256:
        raise ThresholdError(
            f"{path}: found with another model ({settings.model_sha256[:12]}, not {model_sha256[:12]}). Evaluate this "
            "one."
        )
    is_changed = settings.flip != "none" or (settings.subtract_mean and settings.distance == "cosine")
    if is_changed or settings.distance not in ("squared_euclidean", "cosine"):
        raise ThresholdError(
            f"{path}: found with distance {settings.distance}, flip {settings.flip}, subtract_mean "
            f"{settings.subtract_mean}. Evaluate with flip none and subtract_mean false."
        )
    values = thresholds.threshold_per_fold
    if not values or not all(map(math.isfinite, values)):
        raise ThresholdError(f"{path}: threshold_per_fold holds no numbers. Evaluate the model again.")
    source = f"mean over {len(values)} folds of {thresholds.num_pairs} pairs, {path}"
    return Threshold(operating_threshold(thresholds), settings.distance, source)


def _fold_thresholds(path: Path) -> FoldThresholds:
    record = _read(path)
    try:
        settings = record["settings"]
        return FoldThresholds(
            num_pairs=int(record["num_pairs"]),
            threshold_per_fold=tuple(float(value) for value in record["threshold_per_fold"]),
            settings=ModelComparison(
                distance=settings["distance"],
                flip=settings["flip"],
                subtract_mean=settings["subtract_mean"],
                model_sha256=str(settings["model_sha256"]),
            ),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ThresholdError(
            f"{path}: no thresholds of a model ({type(error).__name__}: {error}). `dwmtl evaluate` writes such a file."
        ) from None


def _read(path: Path) -> dict:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ThresholdError(f"{path}: no such file of thresholds.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ThresholdError(f"{path}: no JSON file that can be read ({error}).") from None
