"""Authentication by challenge: is it the same person, showing the required expression? Pure; opens no file."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Authentication:
    """The outcome over N pairs. Fractions.

    Attributes:
        accuracy: share of the pairs decided right, the joint event: higher is better.
        far: share accepted of the pairs to reject; frr: share rejected of those to accept. Lower is better.
        product: verification accuracy times the accuracy of telling whether the required expression is shown: how the
            authors score it. Higher is better; it is not the share of anything.
        always_reject: accuracy of rejecting every pair, the score to beat.
        accepted: (N,) bool.
    """

    accuracy: float
    far: float
    frr: float
    product: float
    always_reject: float
    accepted: np.ndarray


def authenticate(
    verified: np.ndarray, shows_required: np.ndarray, is_same: np.ndarray, is_required: np.ndarray
) -> Authentication:
    """Score the decisions on N pairs, all (N,) bool.

    Args:
        verified: the distance is below the threshold.
        shows_required: the predicted expression is the required one.
        is_same, is_required: the truth of either; both kinds of outcome must occur.
    Source: Ming et al. (FaceLiveNet, ICPR 2018) for the task and the product.
    """
    accepted, genuine = verified & shows_required, is_same & is_required
    return Authentication(
        accuracy=float(np.mean(accepted == genuine)),
        far=float(np.mean(accepted[~genuine])),
        frr=float(np.mean(~accepted[genuine])),
        product=float(np.mean(verified == is_same) * np.mean(shows_required == is_required)),
        always_reject=float(np.mean(~genuine)),
        accepted=accepted,
    )
