"""What a fold is trained from: the tables of the stage `labels` and the folder of the aligned crops."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dwmtl.tables import EXPRESSION_LABELS, IDENTITY_LABELS, read_table


@dataclass(frozen=True)
class FoldData:
    """The labels of all photos, and the fold whose subjects are not trained on.

    Attributes:
        labels: columns `tables.EXPRESSION_LABELS` and those of further tasks, a row per photo, the fold's photos among
            them.
        expressions: class names in the order of the logits; a photo with another expression trains the other tasks.
        identity_labels: columns `tables.IDENTITY_LABELS`; trained on where `train.sets` names the identity set.
        aligned_dir: the folder with the sets' folders of the stage `align`; only crops with a face found are used.
    """

    fold: int
    labels: pd.DataFrame
    expressions: list[str]
    identity_labels: pd.DataFrame
    aligned_dir: Path


def read_fold_data(fold: int, *, labels_dir: Path, aligned_dir: Path) -> FoldData:
    """Read the outputs of the stages `labels` and `align`."""
    return FoldData(
        fold=fold,
        labels=read_table(labels_dir / "expression.csv", EXPRESSION_LABELS, others_are_text=True),
        expressions=json.loads((labels_dir / "classes.json").read_text())["expressions"],
        identity_labels=read_table(labels_dir / "identity.csv", IDENTITY_LABELS),
        aligned_dir=aligned_dir,
    )
