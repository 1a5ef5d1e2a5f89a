"""Finds the threshold of a model: given, beside the model, or among the pipeline's evaluations. Reads no weights."""

import logging
import math
import os
from collections.abc import Callable
from pathlib import Path

from dwmtl.errors import ThresholdError
from dwmtl.inference.threshold_file import read_threshold
from dwmtl.network.model_file import THRESHOLD_FILE
from dwmtl.scores.threshold import Threshold

log = logging.getLogger(__name__)

_MODELS, _EVALUATIONS = ("data", "models"), Path("metrics/evaluation")  # the folders in dvc.yaml
_GREATEST = 4.0  # squared Euclidean distance of two unit vectors


def given_threshold(given: float | Path | str, *, model_sha256: str) -> Threshold:
    """The threshold that a caller gives: a squared Euclidean distance, or a file, see `read_threshold`.

    Raises:
        ThresholdError: the number is outside (0, 4], or the file has no threshold for the model.
    """
    if isinstance(given, Path):
        return read_threshold(given, model_sha256=model_sha256)
    try:
        value = float(given)
    except ValueError:
        return read_threshold(Path(str(given)), model_sha256=model_sha256)
    if math.isnan(value) or not 0 < value <= _GREATEST:
        raise ThresholdError(
            f"threshold must be a squared Euclidean distance in (0, {_GREATEST:g}]. Got {value:g} instead."
        )
    return Threshold(value, "squared_euclidean", "given by the caller")


def find_threshold(folder: Path, *, model_sha256: str) -> Threshold | None:
    """The threshold of a model, from `threshold_file`; None where there is none.

    Raises:
        ThresholdError: the file in the model's folder is not for its weights.
    """
    path = threshold_file(folder, model_sha256=model_sha256)
    return None if path is None else read_threshold(path, model_sha256=model_sha256)


def threshold_file(folder: Path, *, model_sha256: str) -> Path | None:
    """The file of a model's threshold; None where there is none.

    It is `threshold.json` in the model's folder; for a model in `data/models/<name>` that of the pipeline's evaluation
    in `metrics/evaluation/<name>`; or, for a copy of such a model, that of an evaluation in the working directory.

    An evaluation of other weights (the model was trained again) is passed over, with a warning where it has the model's
    name.
    """
    beside_model = folder / THRESHOLD_FILE
    if beside_model.is_file():
        return beside_model
    as_named = Path(os.path.abspath(folder))  # `data`, or the model's folder, may be a link to another disk
    for place in dict.fromkeys((as_named, folder.resolve())):
        if place.parts[-3:-1] != _MODELS:
            continue
        evaluated = place.parents[2] / _EVALUATIONS / place.name / THRESHOLD_FILE
        if evaluated.is_file() and _is_of(evaluated, model_sha256, log.warning):
            return evaluated
    here = sorted(_EVALUATIONS.glob(f"*/{THRESHOLD_FILE}"))
    return next((path for path in here if _is_of(path, model_sha256, log.debug)), None)


def _is_of(path: Path, model_sha256: str, tell: Callable[[str, object], None]) -> bool:
    """Whether a file of thresholds is for a model; `tell`s why it is not."""
    try:
        read_threshold(path, model_sha256=model_sha256)
    except ThresholdError as error:
        tell("no threshold: %s", error)
        return False
    return True
