"""Where a model and its threshold lie: a folder, MLflow, the pipeline's own layout. Reads no weights."""

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from dwmtl.errors import ModelFileError, ThresholdError
from dwmtl.inference.threshold_file import read_threshold
from dwmtl.network.model_file import CARD_FILE, THRESHOLD_FILE, model_folder
from dwmtl.scores.operating_threshold import Threshold

log = logging.getLogger(__name__)

_MLFLOW_SCHEMES = ("runs:/", "models:/", "mlflow-artifacts:/")
_MODELS = ("data", "models")  # where dvc.yaml has them, with the evaluations in metrics/evaluation beside it
_GREATEST = 4.0  # squared Euclidean distance of two unit vectors


@contextmanager
def local_model(source: Path | str) -> Iterator[Path]:
    """A model's folder on this machine: the one named, also by a file in it, or a copy from MLflow, which is gone when
    the block ends.

    Raises:
        ModelFileError: MLflow has no such thing, or what it has holds no model of ours, or several.
    """
    if not str(source).startswith(_MLFLOW_SCHEMES):
        yield model_folder(source)
        return
    from dwmtl.tracking.server import download  # MLflow is heavy, and not needed for a folder

    with TemporaryDirectory(prefix="dwmtl-model-") as copy:
        yield _model_below(download(str(source), Path(copy)), str(source))


def given_threshold(given: float | Path | str, *, model_sha256: str) -> Threshold:
    """A threshold as a caller gives it: a squared Euclidean distance, or a file, see `read_threshold`.

    Raises:
        ThresholdError: a number outside (0, 4], or a file that holds none for the model.
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
    """The threshold that goes with a model: `threshold.json` in its folder, or what the pipeline's evaluation of a
    model in `data/models/<name>` wrote to `metrics/evaluation/<name>`; None where there is neither.

    The pipeline's of another model, which was trained again since, is passed over with a warning.

    Raises:
        ThresholdError: the file in the model's folder does not fit it.
    """
    own = folder / THRESHOLD_FILE
    if own.is_file():
        return read_threshold(own, model_sha256=model_sha256)
    as_named = Path(os.path.abspath(folder))  # `data` may lead to another disk, and so may the model's folder
    for place in dict.fromkeys((as_named, folder.resolve())):
        if place.parts[-3:-1] != _MODELS:
            continue
        evaluated = place.parents[2] / "metrics" / "evaluation" / place.name / THRESHOLD_FILE
        if not evaluated.is_file():
            continue
        try:
            return read_threshold(evaluated, model_sha256=model_sha256)
        except ThresholdError as error:
            log.warning("no threshold: %s", error)
    return None


def _model_below(folder: Path, source: str) -> Path:
    """The one folder with a model in what was downloaded, itself or below."""
    found = sorted(card.parent for card in folder.rglob(CARD_FILE)) if folder.is_dir() else []
    if len(found) != 1:
        places = ", ".join(str(place.relative_to(folder)) for place in found[:5])
        what = (
            f"holds {len(found)} models of dwmtl ({places})" if found else f"holds no model of dwmtl (no {CARD_FILE})"
        )
        raise ModelFileError(f"{source}: it {what}. Name the folder of one: {source.rstrip('/')}/<folder>.")
    return found[0]
