"""Evaluation of the model that the folds start from, on the verification set."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dwmtl.evaluation.evaluate import people_by_folder, predict
from dwmtl.evaluation.fold import evaluate_verification_set
from dwmtl.network.model_file import load_model
from dwmtl.params import Params
from dwmtl.results import write_result
from dwmtl.scores.metrics import VerificationMetrics
from dwmtl.tables import EVALUATED_PAIRS, VERIFICATION_PAIRS, read_table, write_table


@dataclass(frozen=True)
class StartEvaluation:
    """The outcome; `pairs`: columns `tables.EVALUATED_PAIRS`, the verification set's pairs in the folds' order."""

    metrics: VerificationMetrics
    pairs: pd.DataFrame


def evaluate_start(model: Path, params: Params, *, pairs_dir: Path, aligned_dir: Path) -> StartEvaluation:
    """Score a model, which may have no task but identity.

    Args:
        pairs_dir: output of the stage `pairs`.
        aligned_dir: the folder with the sets' outputs of the stage `align`.
    Raises:
        ProtocolError: the pairs cannot be scored.
        ModelFileError: there is no such model.
    """
    network, _ = load_model(model)
    pairs = read_table(pairs_dir / "verification.csv", VERIFICATION_PAIRS)
    photos = pd.concat([pairs["photo_a"], pairs["photo_b"]])
    answered = predict(network, photos, aligned_dir / "verification", params)
    return StartEvaluation(*evaluate_verification_set(pairs, people_by_folder(pairs), answered, params=params.evaluate))


def write_start_evaluation(evaluation: StartEvaluation, folder: Path) -> None:
    """Write `metrics.json` and `pairs.csv`."""
    write_result(evaluation.metrics, folder / "metrics.json")
    write_table(evaluation.pairs, folder / "pairs.csv", EVALUATED_PAIRS)
