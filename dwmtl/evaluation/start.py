"""Evaluation of the model that the folds start from, on the verification sets."""

from dataclasses import dataclass, field
from pathlib import Path

from dwmtl.evaluation.fold import SetEvaluation, write_further_sets, write_set_evaluation
from dwmtl.evaluation.verification_sets import evaluate_sets
from dwmtl.network.model_file import load_model
from dwmtl.params import Params
from dwmtl.tables import VERIFICATION_PAIRS, pairs_by_set, read_table


@dataclass(frozen=True)
class StartEvaluation:
    """The outcome on the main verification set, its pairs in the folds' order, and on the others, by name."""

    main_set: SetEvaluation
    further_sets: dict[str, SetEvaluation] = field(default_factory=dict)


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
    pairs = pairs_by_set(read_table(pairs_dir / "verification.csv", VERIFICATION_PAIRS))
    evaluations = evaluate_sets(network, pairs, aligned_dir / "verification", params)
    return StartEvaluation(evaluations.pop(params.main_verification_set), evaluations)


def write_start_evaluation(evaluation: StartEvaluation, folder: Path) -> None:
    """Write `metrics.json` and `pairs.csv` of the main set, and a folder per further set."""
    write_set_evaluation(evaluation.main_set, folder)
    write_further_sets(evaluation.further_sets, folder)
