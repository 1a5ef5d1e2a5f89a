"""Multi-task training of one fold with the weighting that `params.yaml` names."""

import logging
from pathlib import Path

import pandas as pd

from dwmtl.errors import ProtocolError
from dwmtl.network.model_file import load_card
from dwmtl.network.network import EXPRESSION, IDENTITY
from dwmtl.network.start_from import start_from
from dwmtl.params import Params
from dwmtl.protocol.folds import split, validation_subjects
from dwmtl.protocol.official import is_held_out
from dwmtl.training.compute import Execution, precision_facts
from dwmtl.training.crops import CropDataset
from dwmtl.training.fold_data import FoldData
from dwmtl.training.loop import fit
from dwmtl.training.params import TrainParams
from dwmtl.training.samples import Samples, class_indices, fold_samples, with_face
from dwmtl.training.trained import Trained, initial_network, model_card
from dwmtl.training.training import Training
from dwmtl.training.validation import Validation
from dwmtl.weighting.by_name import make_weighting
from dwmtl.weighting.params import UnitParams

log = logging.getLogger(__name__)


def train_fold(data: FoldData, params: Params, *, start_dir: Path, execution: Execution) -> Trained:
    """Train a network on the subjects outside a fold, a few of whom choose its best epoch instead.

    Args:
        start_dir: the model whose trunk and branches are filled in.
    Raises:
        ProtocolError: too few people are left to train on, or the model to start from was trained on the fold's
            subjects.
        ModelFileError: the model to start from does not fit.
    """
    rows, tested = split(data.labels, data.fold)
    is_validated = _is_validated(rows, data, params.train)
    validated_on = sorted(set(rows.loc[is_validated, "subject"]) - {""})
    validation = _validation(rows[is_validated], data, params) if is_validated.any() else None
    samples = _samples(rows[~is_validated], data, params)
    unseen_classes = samples.unseen_classes()
    for task, names in unseen_classes.items():
        log.warning("fold %d is trained on no photo of %s (task %s)", data.fold, ", ".join(names), task)
    start = load_card(start_dir)
    trained_before = start.people_seen()
    _refuse_tested_subjects(start_dir, trained_before, tested["subject"])
    provenance = {
        "made_by": "train",
        "fold": data.fold,
        "start": {"model": params.train.start, "weights_sha256": start.weights_sha256},
        "trained_on": trained_before,  # these and the subjects of its classes must not be tested on
        "validated_on": validated_on,
    }
    card = model_card(params, samples.classes, provenance=provenance)
    network = initial_network(card, seed=params.train.seed)
    weighting = make_weighting(
        params.train.weighting,
        num_features=network.num_shared_features(params.align.crop_px),
        chance_losses=network.chance_losses,
    )
    filled = start_from(network, card, start_dir)
    training = Training(
        network,
        weighting,
        CropDataset(samples.paths, samples.labels),
        params.train,
        losses={task: values.loss for task, values in params.tasks.items()},
        frozen=_frozen_parts(params.train),
        weighting_optimizer=_weighting_optimizer(params.train),
        validation=validation,
        keep=params.train.keep,
        learning_rate_factors=params.train.learning_rate_factors,
        freeze=params.train.freeze,
        balanced_task=params.train.balanced_task,
        facts=card.model_dump(),
    )
    fitted = fit(training, execution)
    facts = {
        "fold": data.fold,
        "num_photos": len(samples.paths),
        "num_subjects": len(samples.classes[IDENTITY]),
        "num_validation_subjects": len(validated_on),
        "unseen_classes": unseen_classes,
        "filled_from_start": filled,
        **precision_facts(execution.fabric, asked=params.train.precision),
    }
    return Trained(network, card, fitted, facts)


def _is_validated(rows: pd.DataFrame, data: FoldData, params: TrainParams) -> pd.Series:
    """Which training rows choose the best epoch instead of being trained on."""
    if (rows["fold"] < 0).all():  # no other fold is tested: the official protocol
        return is_held_out(rows, params.validation_fraction, seed=params.seed)
    return rows["subject"].isin(validation_subjects(data.labels, data.fold, fraction=params.validation_fraction))


def _validation(rows: pd.DataFrame, data: FoldData, params: Params) -> Validation:
    """The validation subjects' photos with a face found and an expression that is a class."""
    rows = with_face(data.aligned_dir / "expression", rows[rows["expression"].isin(data.expressions)])
    if rows.empty:
        raise ProtocolError(
            "no photo of the validation subjects has a face found and an expression that is a class. Look at "
            f"{data.aligned_dir}/expression/*/failures.csv, or change train.validation_fraction in params.yaml."
        )
    labels = {EXPRESSION: class_indices(rows["expression"], data.expressions)}
    return Validation(CropDataset(rows["path"].tolist(), labels), batch_size=params.train.batch_size)


def _samples(rows: pd.DataFrame, data: FoldData, params: Params) -> Samples:
    """The training samples: those rows and, where `train.sets` names it, the identity set."""
    expression_rows = with_face(data.aligned_dir / "expression", rows)
    num_subjects = len(set(expression_rows["subject"]) - {""})
    identity_rows = None
    if "identity" in params.train.sets:
        identity_rows = with_face(data.aligned_dir / "identity", data.identity_labels)
    elif num_subjects < 2:
        raise ProtocolError(
            f"fold {data.fold}: {num_subjects} training subjects with a face found; at least 2 are needed. Look at "
            f"{data.aligned_dir}/expression/*/failures.csv, and at labels.num_folds and train.validation_fraction in "
            "params.yaml; or set train.sets to [expression, identity], whose people the identity task then learns."
        )
    return fold_samples(
        expression_rows, identity_rows, params.tasks, expressions=data.expressions, all_labels=data.labels
    )


def _refuse_tested_subjects(start_dir: Path, trained: list[str], tested: pd.Series) -> None:
    both = sorted(set(trained) & set(tested))
    if both:
        raise ProtocolError(
            f"{start_dir} was trained on test subjects of this fold: {', '.join(both)}. Start from another model."
        )


def _frozen_parts(params: TrainParams) -> frozenset[str]:
    modes = {"trunk": params.batch_norm.trunk, **params.batch_norm.branches}
    return frozenset(part for part, mode in modes.items() if mode == "frozen")


def _weighting_optimizer(params: TrainParams) -> UnitParams | None:
    return params.weighting if isinstance(params.weighting, UnitParams) else None
