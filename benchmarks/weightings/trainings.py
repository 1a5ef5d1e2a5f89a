"""A training of the comparison: the upper part of a network, on what the frozen part has made of the crops."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from frozen import FeatureDataset, cut

from dwmtl.errors import ProtocolError
from dwmtl.network.model_file import load_card
from dwmtl.network.network import EXPRESSION, FaceNetwork
from dwmtl.network.start_from import start_from
from dwmtl.params import Params
from dwmtl.protocol.folds import split, validation_subjects
from dwmtl.training.compute import Execution, launch
from dwmtl.training.fold_data import read_fold_data
from dwmtl.training.loop import Fitted, fit
from dwmtl.training.samples import class_indices, fold_samples
from dwmtl.training.trained import initial_network, model_card
from dwmtl.training.training import Training
from dwmtl.training.validation import Validation
from dwmtl.weighting.by_name import make_weighting
from dwmtl.weighting.params import UnitParams


@dataclass(frozen=True)
class Prepared:
    """A prepared data set: the folder of its project, and the features of its crops.

    Attributes:
        expression, verification: (N, 1 + variants, C, h, w) of either set, read where they lie.
        expression_crops, verification_crops: a photo -> its crop's file, in the features' order.
    """

    project: Path
    num_frozen_blocks: int
    expression: np.ndarray
    verification: np.ndarray
    expression_crops: pd.Series
    verification_crops: pd.Series

    def expression_rows(self, photos: pd.Series) -> np.ndarray:
        """The photos' rows of the features, (N,); -1: no face was found."""
        return pd.Index(self.expression_crops.index).get_indexer(photos)

    def verification_rows(self, photos: pd.Series) -> np.ndarray:
        """The photos' rows of the features, (N,).

        Raises:
            ProtocolError: a photo has no crop.
        """
        rows = pd.Index(self.verification_crops.index).get_indexer(photos)
        if (rows < 0).any():
            raise ProtocolError(f"photo {photos[rows < 0].iloc[0]} has no crop, and every pair must be scored.")
        return rows


@dataclass(frozen=True)
class Outcome:
    """A trained network, without its frozen part."""

    network: FaceNetwork
    fitted: Fitted


def read_prepared(project: Path, features: Path, num_frozen_blocks: int) -> Prepared:
    """The outputs of `prepare` and `features`."""
    arrays = [np.load(features / f"{role}.npy", mmap_mode="r") for role in ("expression", "verification")]
    crops = [
        pd.read_csv(features / f"{role}.csv", index_col="photo", keep_default_na=False)["crop"]
        for role in ("expression", "verification")
    ]
    return Prepared(project, num_frozen_blocks, *arrays, *crops)


def train(
    fold: int,
    prepared: Prepared,
    params: Params,
    *,
    on_step: Callable[[Training, dict[str, float]], None] = lambda training, row: None,
) -> Outcome:
    """Train a fold as the stage `train` does, above the frozen part, without checkpoints.

    Args:
        on_step: called after every step with the training and the row of the trajectory.
    """
    data = prepared.project / "data"
    fold_data = read_fold_data(fold, labels_dir=data / "labels", aligned_dir=data / "aligned")
    rows, _ = split(fold_data.labels, fold)
    rows = rows.assign(path=prepared.expression_crops.reindex(rows["photo"]).to_numpy())
    rows = rows[rows["path"].notna()]
    validated_on = validation_subjects(fold_data.labels, fold, fraction=params.train.validation_fraction)
    is_validated = rows["subject"].isin(validated_on)
    learned, validated = rows[~is_validated], rows[is_validated & rows["expression"].isin(fold_data.expressions)]
    samples = fold_samples(learned, None, params.tasks, expressions=fold_data.expressions, all_labels=fold_data.labels)
    card = model_card(params, samples.classes, provenance={})
    network = initial_network(card, seed=params.train.seed)
    weighting = make_weighting(
        params.train.weighting,
        num_features=network.num_shared_features(params.align.crop_px),
        chance_losses=network.chance_losses,
    )
    start_from(network, card, data / "models" / params.train.start)
    cut(network, prepared.num_frozen_blocks)
    modes = {"trunk": params.train.batch_norm.trunk, **params.train.batch_norm.branches}
    training = Training(
        network,
        weighting,
        _dataset(prepared, learned, samples.labels, seed=params.train.seed),
        params.train.model_copy(update={"augment": type(params.train.augment)()}),  # the variants are that
        losses={task: values.loss for task, values in params.tasks.items()},
        frozen=frozenset(part for part, mode in modes.items() if mode == "frozen"),
        weighting_optimizer=params.train.weighting if isinstance(params.train.weighting, UnitParams) else None,
        validation=Validation(
            _dataset(
                prepared,
                validated,
                {EXPRESSION: class_indices(validated["expression"], fold_data.expressions)},
                seed=None,
            ),
            batch_size=params.train.batch_size,
        ),
        keep=params.train.keep,
        learning_rate_factors=params.train.learning_rate_factors,
        facts=load_card(data / "models" / params.train.start).weights_sha256,
    )
    fabric = launch(params.compute, precision=params.train.precision)
    execution = Execution(fabric, params.compute, on_step=lambda row: on_step(training, row))
    return Outcome(network, fit(training, execution))


def _dataset(
    prepared: Prepared, rows: pd.DataFrame, labels: dict[str, np.ndarray], *, seed: int | None
) -> FeatureDataset:
    return FeatureDataset(
        rows["path"].tolist(),
        labels,
        features=prepared.expression,
        rows=prepared.expression_rows(rows["photo"]),
        seed=seed,
    )
