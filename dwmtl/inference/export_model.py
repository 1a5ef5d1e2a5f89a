"""Copies a model with its threshold into one folder, which answers anywhere. Reads no weights."""

import shutil
from pathlib import Path

from dwmtl.errors import ThresholdError
from dwmtl.files import whole_new_folder
from dwmtl.inference.model_source import local_model
from dwmtl.inference.threshold_file import read_threshold
from dwmtl.inference.threshold_source import threshold_file
from dwmtl.network.model_file import BEST_FILE, METHOD_FILE, THRESHOLD_FILE, files_of, load_card, sha256_of
from dwmtl.scores.threshold import Threshold


def export_model(source: Path | str, out: Path, *, threshold: Path | None = None) -> Threshold:
    """Copy a model into a new folder together with its threshold, as MLflow has it.

    What is for training alone (the epoch that was best on validation, the method's state) is left out.

    Args:
        source: a model's folder, a file in it, or a URI of MLflow.
        threshold: a file of thresholds of this model; by default the one that `verify` would use.
    Returns:
        The threshold.
    Raises:
        ModelFileError: there is no such model.
        ThresholdError: the model has no threshold, or the file is of another model.
        DwmtlError: `out` is there, and holds something.
    """
    with whole_new_folder(out) as copy, local_model(source) as folder:
        sha256 = sha256_of(load_card(folder), "raw")
        path = threshold or threshold_file(folder, model_sha256=sha256)
        if path is None:
            raise ThresholdError(
                f"{source}: no threshold is known for this model. Name its file with --threshold: the pipeline's "
                "threshold.json, or one that `dwmtl evaluate` wrote for the model."
            )
        found = read_threshold(path, model_sha256=sha256)
        for file in files_of(folder):
            if file.is_file() and file.name not in (BEST_FILE, METHOD_FILE):
                shutil.copy(file, copy)
        shutil.copy(path, copy / THRESHOLD_FILE)
    return found
