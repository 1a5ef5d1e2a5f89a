"""Multi-task training of one fold with the weighting that `params.yaml` names."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from lightning_fabric import Fabric

from dwmtl.errors import ProtocolError
from dwmtl.network.model_file import load_card, start_from
from dwmtl.network.network import EXPRESSION, IDENTITY
from dwmtl.params import Params
from dwmtl.protocol.folds import split, validation_subjects
from dwmtl.training.compute import precision_of
from dwmtl.training.crops import CropDataset
from dwmtl.training.loop import WeightingOptimizer, fit
from dwmtl.training.params import TrainParams
from dwmtl.training.samples import Samples, class_indices, fold_samples, with_face
from dwmtl.training.trained import Trained, initial_network, model_card
from dwmtl.training.validation import Validation
from dwmtl.weighting.by_name import make_weighting
from dwmtl.weighting.params import UnitParams


def train_fold(
    labels: pd.DataFrame,
    expressions: list[str],
    params: Params,
    *,
    fold: int,
    identity_labels: pd.DataFrame,
    aligned_dir: Path,
    start_dir: Path,
    fabric: Fabric,
    checkpoint_dir: Path | None = None,
    on_step: Callable[[dict[str, float]], None] = lambda row: None,
) -> Trained:
    """Train a network on the subjects outside a fold, a few of whom choose its best epoch instead.

    Args:
        labels: columns `tables.EXPRESSION_LABELS` and the further tasks'; the rows of the fold itself are left out.
        expressions: class names in the order of the logits; a row whose expression is not among them trains the other
            tasks alone.
        identity_labels: columns `tables.IDENTITY_LABELS`; trained on where `train.sets` says so.
        aligned_dir: the folder with the sets' folders of the stage `align`; only crops with a face found are used.
        start_dir: the model whose trunk and branches are filled in.
        fabric: launched; see `compute.launch`.
        checkpoint_dir: where an interrupted training is saved, and goes on from.
        on_step: called with every row of the trajectory.
    Raises:
        ProtocolError: too few people are left to train on, or the model to start from knows the fold's subjects.
        ModelFileError: the model to start from does not fit.
    """
    rows, tested = split(labels, fold)
    validated_on = validation_subjects(labels, fold, fraction=params.train.validation_fraction)
    is_validated = rows["subject"].isin(validated_on)
    validation = _validation(rows[is_validated], expressions, aligned_dir, params) if validated_on else None
    samples = _samples(rows[~is_validated], labels, identity_labels, expressions, aligned_dir, params, fold)
    start = load_card(start_dir)
    trained_before = start.people_seen()
    _refuse_tested_subjects(start_dir, trained_before, tested["subject"])
    provenance = {
        "made_by": "train",
        "fold": fold,
        "start": {"model": params.train.start, "weights_sha256": start.weights_sha256},
        "trained_on": trained_before,  # and on its own classes: who must not be tested on
        "validated_on": validated_on,
    }
    card = model_card(params, samples.classes, provenance=provenance)
    network = initial_network(card, seed=params.train.seed)
    weighting = make_weighting(
        params.train.weighting,
        num_features=network.num_shared_features(params.align.crop_px),
        tasks=network.tasks,
        seed=params.train.seed,
    )
    filled = start_from(network, card, start_dir)
    fitted = fit(
        network,
        weighting,
        CropDataset(samples.paths, samples.labels),
        params.train,
        losses={task: values.loss for task, values in params.tasks.items()},
        frozen=_frozen_parts(params.train),
        weighting_optimizer=_weighting_optimizer(params.train),
        compute=params.compute,
        fabric=fabric,
        facts=card.model_dump(),
        validation=validation,
        checkpoint_dir=checkpoint_dir,
        on_step=on_step,
        title=f"train fold {fold}",
    )
    facts = {
        "fold": fold,
        "num_photos": len(samples.paths),
        "num_subjects": len(samples.classes[IDENTITY]),
        "num_validation_subjects": len(validated_on),
        "filled_from_start": filled,
        "precision": precision_of(fabric),
    }
    return Trained(network, card, fitted, facts)


def _validation(rows: pd.DataFrame, expressions: list[str], aligned_dir: Path, params: Params) -> Validation:
    """The validation subjects' photos with a face found and an expression that is a class."""
    rows = with_face(aligned_dir / "expression", rows[rows["expression"].isin(expressions)])
    if rows.empty:
        raise ProtocolError(
            "no photo of the validation subjects has a face found and an expression that is a class. Look at "
            f"{aligned_dir}/expression/*/failures.csv, or change train.validation_fraction in params.yaml."
        )
    labels = {EXPRESSION: class_indices(rows["expression"], expressions)}
    return Validation(CropDataset(rows["path"].tolist(), labels), batch_size=params.train.batch_size)


def _samples(
    rows: pd.DataFrame,
    labels: pd.DataFrame,
    identity_labels: pd.DataFrame,
    expressions: list[str],
    aligned_dir: Path,
    params: Params,
    fold: int,
) -> Samples:
    expression_rows = with_face(aligned_dir / "expression", rows)
    num_subjects = len(set(expression_rows["subject"]) - {""})
    identity_rows = None
    if "identity" in params.train.sets:
        identity_rows = with_face(aligned_dir / "identity", identity_labels)
    elif num_subjects < 2:
        raise ProtocolError(
            f"fold {fold}: {num_subjects} training subjects with a face found; at least 2 are needed. Look at "
            f"{aligned_dir}/expression/*/failures.csv, and at labels.num_folds and train.validation_fraction in "
            "params.yaml."
        )
    return fold_samples(expression_rows, identity_rows, params.tasks, expressions=expressions, all_labels=labels)


def _refuse_tested_subjects(start_dir: Path, trained: list[str], tested: pd.Series) -> None:
    both = sorted(set(trained) & set(tested))
    if both:
        raise ProtocolError(
            f"{start_dir} was trained on test subjects of this fold: {', '.join(both)}. Start from another model."
        )


def _frozen_parts(params: TrainParams) -> set[str]:
    parts = {"trunk": params.batch_norm.trunk, **params.batch_norm.branches}
    return {part for part, mode in parts.items() if mode == "frozen"}


def _weighting_optimizer(params: TrainParams) -> WeightingOptimizer | None:
    settings = params.weighting.settings
    if not isinstance(settings, UnitParams):
        return None
    return WeightingOptimizer(settings.optimizer, settings.learning_rate)
