"""Multi-task training of one fold with the weighting that `params.yaml` names."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from dwmtl.datasets.crops import crop_paths
from dwmtl.errors import ProtocolError
from dwmtl.network.model_file import start_from
from dwmtl.network.network import EXPRESSION, IDENTITY, FaceNetwork
from dwmtl.params import Params, TrainParams
from dwmtl.protocol.folds import split
from dwmtl.training.crops import CropDataset
from dwmtl.training.loop import WeightingOptimizer, fit
from dwmtl.training.losses import NO_LABEL
from dwmtl.training.trained import Trained, initial_network, model_card
from dwmtl.weighting.by_name import make_weighting


def train_fold(
    labels: pd.DataFrame,
    expressions: list[str],
    aligned_dir: Path,
    pretrained_dir: Path,
    params: Params,
    *,
    fold: int,
    on_step: Callable[[dict[str, float]], None],
) -> Trained:
    """Train a network on the subjects outside a fold.

    Args:
        labels: columns `tables.EXPRESSION_LABELS`; the rows of the fold itself are left out.
        expressions: class names in the order of the logits; a row whose expression is not among them trains the
            identity task alone.
        aligned_dir: the expression set's folder of the stage `align`; only crops with a face found are used.
        pretrained_dir: the model that the stage `pretrain` made.
        on_step: called with every row of the trajectory.
    Raises:
        ProtocolError: no photo is left to train on.
        ModelFileError: the model to start from does not fit.
    """
    rows, _ = split(labels, fold)
    paths = crop_paths(aligned_dir, rows["photo"], status=("aligned",))
    rows, paths = rows[paths != ""], paths[paths != ""]
    subjects = sorted(rows["subject"].unique())
    if len(subjects) < 2:
        raise ProtocolError(
            f"fold {fold}: {len(subjects)} training subjects with a face found; at least 2 are needed. Look at "
            f"{aligned_dir}/failures.csv and at labels.num_folds in params.yaml."
        )
    dataset = CropDataset(
        [aligned_dir / path for path in paths],
        {IDENTITY: _indices(rows["subject"], subjects), EXPRESSION: _indices(rows["expression"], expressions)},
    )
    card = model_card(params.network, params.align, {IDENTITY: subjects, EXPRESSION: expressions})
    network = initial_network(card, seed=params.train.seed)
    weighting = make_weighting(
        params.train.weighting, num_features=_num_features(network, params.align.crop_px), tasks=network.tasks
    )
    filled = start_from(network, pretrained_dir) if params.train.start == "pretrain" else {}
    trajectory = fit(
        network,
        weighting,
        dataset,
        params.train,
        frozen=_frozen_parts(params.train),
        weighting_optimizer=_weighting_optimizer(params.train),
        accelerator=params.compute.accelerator,
        num_workers=params.compute.num_workers,
        on_step=on_step,
        title=f"train fold {fold}",
    )
    facts = {"fold": fold, "num_photos": len(rows), "num_subjects": len(subjects), "filled_from_start": filled}
    return Trained(network, card, trajectory, facts)


def _indices(names: pd.Series, classes: list[str]) -> np.ndarray:
    """Class index of each name, NO_LABEL for a name that is no class."""
    return names.map({name: index for index, name in enumerate(classes)}).fillna(NO_LABEL).to_numpy().astype(np.int64)


def _num_features(network: FaceNetwork, crop_px: int) -> int:
    """Length of the flattened shared features of a crop."""
    with torch.no_grad():
        return network.eval().trunk(torch.zeros(1, 3, crop_px, crop_px)).numel()


def _frozen_parts(params: TrainParams) -> set[str]:
    modes = params.batch_norm
    parts = {"trunk": modes.trunk, IDENTITY: modes.identity_branch, EXPRESSION: modes.expression_branch}
    return {part for part, mode in parts.items() if mode == "frozen"}


def _weighting_optimizer(params: TrainParams) -> WeightingOptimizer | None:
    if params.weighting.name != "dynamic":
        return None
    return WeightingOptimizer(params.weighting.optimizer, params.weighting.learning_rate)
