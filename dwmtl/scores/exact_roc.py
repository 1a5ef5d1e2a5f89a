"""The ROC of a set's pairs at every threshold, for false accept rates that a grid of thresholds cannot resolve. Pure.

The pairs of all blocks are one sample. `verification` averages the blocks' curves over 400 thresholds, which is LFW's
protocol and too coarse below a rate of about 0.001.
"""

from dataclasses import dataclass

import numpy as np

from dwmtl.scores.threshold import RATE_ROUNDING

RULE_OF_30 = 30
"""False accepts below which a rate is a rough guess: with 30 errors the true rate is within 30 % of the measured one,
with a confidence of 90 %. Source: Doddington et al. 2000 (Speech Communication 31), the rule of 30."""


@dataclass(frozen=True)
class ExactRoc:
    """A ROC as sorted distances: G of genuine and I of impostor pairs, both > 0. A pair is accepted strictly below a
    threshold."""

    genuine: np.ndarray
    impostor: np.ndarray

    def tar_within(self, far_targets: np.ndarray) -> np.ndarray:
        """Share of genuine pairs accepted at the largest threshold whose FAR is within each target: (T,) -> (T,).

        Nothing is interpolated. NaN where the target allows no impostor, FAR < 1 / I: the pairs cannot measure it.
        """
        num_allowed = self.num_allowed(far_targets)
        limits = np.append(self.impostor, np.inf)[num_allowed]  # of the closest impostor that must be rejected
        tar = np.searchsorted(self.genuine, limits, side="left") / len(self.genuine)
        return np.where(num_allowed > 0, tar, np.nan)

    def num_allowed(self, far_targets: np.ndarray) -> np.ndarray:
        """Impostors that each target allows to be accepted, the number that a TAR rests on: (T,) -> (T,) int."""
        return np.floor(np.asarray(far_targets) * len(self.impostor) * (1 + RATE_ROUNDING)).astype(int)


def num_impostors_needed(far_target: float) -> int:
    """Impostor pairs that a set needs for one of them to be allowed to be accepted at a target."""
    return int(np.ceil(1 / far_target * (1 - RATE_ROUNDING)))


def exact_roc(distances: np.ndarray, is_same: np.ndarray) -> ExactRoc:
    """The ROC of N pairs of one network: (N,), (N,) bool, both kinds among them."""
    return ExactRoc(np.sort(distances[is_same]), np.sort(distances[~is_same]))
