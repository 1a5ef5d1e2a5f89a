"""Authentication by challenge: is this the same person, with the required expression? Pure; opens no file."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Authentication:
    """The outcome over N pairs. Fractions.

    Attributes:
        accuracy: share of the pairs whose joint decision is right; higher is better.
        far: share of the pairs to reject that are accepted; frr: share of the pairs to accept that are rejected. Lower
            is better.
        product: verification accuracy times the accuracy of deciding whether the required expression is shown, which is
            the authors' score. Higher is better; it is not a share of the pairs.
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
    """Score the decisions on N pairs; every argument is (N,) bool.

    Args:
        verified: the distance is below the threshold.
        shows_required: the predicted expression is the required one.
        is_same, is_required: the truth; there must be pairs to accept and pairs to reject.
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
