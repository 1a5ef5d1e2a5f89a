"""A training of the comparison, from a prepared data set."""

from pathlib import Path

from dwmtl.params import Params
from dwmtl.training.compute import Execution, launch
from dwmtl.training.fold_data import read_fold_data
from dwmtl.training.train import train_fold
from dwmtl.training.trained import Trained


def train(fold: int, data: Path, params: Params) -> Trained:
    """Train a fold, without checkpoints: it takes minutes.

    Args:
        data: a prepared project's folder `data`.
    """
    execution = Execution(launch(params.compute, precision=params.train.precision), params.compute)
    fold_data = read_fold_data(fold, labels_dir=data / "labels", aligned_dir=data / "aligned")
    return train_fold(fold_data, params, start_dir=data / "models" / params.train.start, execution=execution)
