"""Votes of several people on the expression of a photo, as targets of the cross-entropy in place of one class.

Source: Barsoum et al. 2016, arXiv:1608.01041 (there: cross-entropy loss, of the distribution of labels).
"""

import numpy as np
import pandas as pd

from dwmtl.errors import ProtocolError
from dwmtl.network.params import HeadParams, HiddenHeadParams
from dwmtl.tables import VOTES
from dwmtl.training.losses import NO_LABEL


def vote_shares(rows: pd.DataFrame, labels: np.ndarray, classes: list[str]) -> np.ndarray | None:
    """The share of each class in a row's votes; None where the table has no votes.

    Args:
        rows: N rows; a column `tables.VOTES` + class for each class that was voted on, a number or empty.
        labels: (N,) class indices or NO_LABEL.
    Returns:
        (N, C) float32; 1 at the label where a row has no votes for the classes, all 0 where it has no label.
    Raises:
        ProtocolError: a cell is no number of votes; the message names the photo's file.
    """
    columns = [VOTES + name for name in classes]
    if not set(columns) & set(rows.columns):
        return None
    cells = rows.reindex(columns=columns, fill_value="").fillna("").replace("", "0")
    votes = cells.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    is_wrong = ~((votes >= 0) & np.isfinite(votes))
    if is_wrong.any():
        row, column = np.argwhere(is_wrong)[0]
        raise ProtocolError(
            f"{rows['path'].iloc[row]}: the column {columns[column]} holds {cells.iloc[row, column][:40]!r}; must be a "
            "number of votes, or empty. Correct the set's table."
        )
    totals = votes.sum(axis=1, keepdims=True)
    one_hot = np.eye(len(classes))[labels.clip(min=0)]
    shares = np.where(totals > 0, votes / np.where(totals > 0, totals, 1), one_hot)
    return np.where(labels[:, None] == NO_LABEL, 0, shares).astype(np.float32)


def require_head_for_votes(head: HeadParams) -> None:
    """Refuse a head whose loss has one true class.

    Raises:
        ProtocolError: a margin is on one class; classes are sampled around one.
    """
    if not isinstance(head, HiddenHeadParams) and (head.name != "linear" or head.sample_rate < 1):
        raise ProtocolError(
            f"tasks.expression.head is {head.name} with one true class per photo, and the expression set has votes. "
            "Set it to hidden, or to linear with sample_rate 1, or take the majority: fer_plus_labels: majority."
        )
