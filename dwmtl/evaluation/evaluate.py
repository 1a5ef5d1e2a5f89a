"""A fold's model evaluated: run on all photos that the fold's labels and pairs name, scored, the scores written."""

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from dwmtl.errors import ProtocolError
from dwmtl.evaluation.fold import (
    FoldData,
    FoldEvaluation,
    comparison_settings,
    evaluate_fold,
    write_evaluation,
)
from dwmtl.evaluation.further_tasks import FurtherTask
from dwmtl.evaluation.predict import predict
from dwmtl.evaluation.verification_sets import evaluate_sets, people_by_folder, photos_of
from dwmtl.network.model_card import ModelCard
from dwmtl.network.model_file import THRESHOLD_FILE, has_best, load_model, sha256_of
from dwmtl.network.network import EXPRESSION, IDENTITY, FaceNetwork
from dwmtl.params import Params
from dwmtl.protocol.folds import split
from dwmtl.results import write_result
from dwmtl.scores.threshold import FoldThresholds, fold_thresholds
from dwmtl.tables import BEST_DIR, EXPRESSION_LABELS, EXPRESSION_PAIRS, VERIFICATION_PAIRS, pairs_by_set, read_table


@dataclass(frozen=True)
class ModelEvaluation:
    """The outcome for a fold's model.

    Attributes:
        last: scores of the weights after the last epoch, `evaluate.weights`.
        best: scores of the weights of the epoch that was best on the validation subjects; None without any.
        thresholds: the thresholds of `last`, for using the model.
    """

    last: FoldEvaluation
    best: FoldEvaluation | None
    thresholds: FoldThresholds


def evaluate_model_folder(
    model: Path, params: Params, *, fold: int, labels_dir: Path, pairs_dir: Path, aligned_dir: Path
) -> ModelEvaluation:
    """Score the weights in a model's folder, see `evaluate_model`."""
    folders = {"labels_dir": labels_dir, "pairs_dir": pairs_dir, "aligned_dir": aligned_dir}
    weights = params.evaluate.weights
    network, card = load_model(model, weights=weights)
    last = evaluate_model(network, card, params, fold=fold, **folders)
    best = None
    if has_best(card):
        best_network, best_card = load_model(model, weights="best")
        best = evaluate_model(best_network, best_card, params, fold=fold, **folders)
    settings, sha256 = comparison_settings(params.evaluate), sha256_of(card, weights)
    thresholds = fold_thresholds(last.pairs, settings, model_sha256=sha256)
    return ModelEvaluation(last, best, thresholds)


def write_model_evaluation(evaluation: ModelEvaluation, folder: Path) -> None:
    """Write metrics and tables, `threshold.json`, and a folder with the best epoch's, which is empty without one."""
    write_evaluation(evaluation.last, folder)
    write_result(evaluation.thresholds, folder / THRESHOLD_FILE)
    (folder / BEST_DIR).mkdir()
    if evaluation.best is not None:
        write_evaluation(evaluation.best, folder / BEST_DIR)


def evaluate_model(
    network: FaceNetwork,
    card: ModelCard,
    params: Params,
    *,
    fold: int,
    labels_dir: Path,
    pairs_dir: Path,
    aligned_dir: Path,
) -> FoldEvaluation:
    """Score a fold's model on the fold's subjects and on the verification sets.

    Args:
        labels_dir, pairs_dir: outputs of the stages `labels` and `pairs`.
        aligned_dir: the folder with the sets' outputs of the stage `align`.
    Raises:
        ProtocolError: the model was trained on a test subject of the fold, or the data cannot be scored.
    """
    labels = read_table(labels_dir / "expression.csv", EXPRESSION_LABELS, others_are_text=True)
    _, labels = split(labels, fold)
    _refuse_trained_subjects(fold, card.people_seen(), labels["subject"])
    expression_pairs = read_table(pairs_dir / f"fold_{fold}.csv", EXPRESSION_PAIRS)
    further_pairs = pairs_by_set(read_table(pairs_dir / "verification.csv", VERIFICATION_PAIRS))
    verification_pairs = further_pairs.pop(params.main_verification_set)
    photos = {
        "expression": pd.concat([labels["photo"], expression_pairs["input"], expression_pairs["reference"]]),
        "verification": photos_of(verification_pairs),
    }
    answered = {role: predict(network, names, aligned_dir / role, params) for role, names in photos.items()}
    data = FoldData(
        labels=labels,
        expression_pairs=expression_pairs,
        verification_pairs=verification_pairs,
        verification_subjects=people_by_folder(verification_pairs),
        expressions=card.classes(EXPRESSION),
        further_tasks={
            name: FurtherTask(network.kinds[name], task.kind, task.columns, card.classes(name))
            for name, task in params.tasks.items()
            if name not in (IDENTITY, EXPRESSION)
        },
    )
    evaluation = evaluate_fold(
        data,
        expression_set=answered["expression"],
        verification_set=answered["verification"],
        params=params.evaluate,
    )
    return replace(evaluation, further_sets=evaluate_sets(network, further_pairs, aligned_dir / "verification", params))


def _refuse_trained_subjects(fold: int, trained: list[str], tested: pd.Series) -> None:
    """Check that the network was not trained on subjects that it is tested on."""
    both = sorted(set(trained) & set(tested))
    if both:
        raise ProtocolError(
            f"the model was trained on test subjects of fold {fold}: {', '.join(both)}. Train it again."
        )
