"""The expression of a rendered face: a vector of movements, similar to action units, from neutral to peak."""

from dataclasses import astuple, dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Expression:
    """How far each part of a face is moved: 0 at rest, 1 at a full peak. After the action units of FACS (number)."""

    inner_brow_raise: float = 0.0  # 1
    outer_brow_raise: float = 0.0  # 2
    brow_lower: float = 0.0  # 4
    lid_raise: float = 0.0  # 5
    cheek_raise: float = 0.0  # 6
    lid_tighten: float = 0.0  # 7
    nose_wrinkle: float = 0.0  # 9
    upper_lip_raise: float = 0.0  # 10
    corner_up: float = 0.0  # 12
    corner_down: float = 0.0  # 15
    lip_stretch: float = 0.0  # 20
    lip_press: float = 0.0  # 24
    lips_part: float = 0.0  # 25
    jaw_drop: float = 0.0  # 26


NUM_MOVEMENTS = len(fields(Expression))

PROTOTYPES = {
    "Anger": Expression(brow_lower=1.0, lid_raise=0.25, lid_tighten=0.6, lip_press=0.9, nose_wrinkle=0.2),
    "Disgust": Expression(
        brow_lower=0.5, lid_tighten=0.6, nose_wrinkle=1.0, upper_lip_raise=0.9, corner_down=0.35, cheek_raise=0.3
    ),
    "Fear": Expression(
        inner_brow_raise=0.9, outer_brow_raise=0.35, brow_lower=0.4, lid_raise=0.9, lip_stretch=0.8, lips_part=0.5
    ),
    "Happiness": Expression(cheek_raise=0.8, corner_up=1.0, lips_part=0.5, lid_tighten=0.2),
    "Sadness": Expression(inner_brow_raise=1.0, brow_lower=0.3, corner_down=1.0, lid_tighten=0.45),
    "Surprise": Expression(inner_brow_raise=1.0, outer_brow_raise=1.0, lid_raise=0.9, jaw_drop=1.0),
}
"""The six expressions of Oulu-CASIA at their peak."""


def express(name: str, intensity: float, gains: tuple[float, ...], wobble: np.ndarray) -> Expression:
    """The expression as a person shows it.

    Args:
        name: a key of PROTOTYPES.
        intensity: 0 neutral to 1 peak.
        gains: the person's, a factor per movement.
        wobble: (NUM_MOVEMENTS,), the deviation of each movement in a sequence, in peaks; scaled by the intensity, too.
    """
    peak = np.array(astuple(PROTOTYPES[name]))
    return Expression(*(float(value) for value in np.clip(intensity * (peak * np.array(gains) + wobble), 0.0, 1.3)))
