"""The person of a rendered face: geometry, skin, hair, brows, eyes, nose, mouth. Drawn from overlapping distributions,
so that two people may look alike."""

from dataclasses import dataclass

import numpy as np

Color = tuple[float, float, float]
"""RGB, 0..255."""

_SKIN = np.array([[250, 220, 200], [236, 196, 168], [214, 166, 130], [176, 124, 90], [124, 82, 58], [86, 56, 42]])
_HAIR = np.array([[28, 22, 20], [62, 42, 30], [110, 74, 44], [164, 120, 70], [206, 172, 112], [150, 146, 142]])
_IRIS = np.array([[58, 36, 22], [92, 64, 36], [98, 112, 70], [84, 118, 146], [120, 134, 140]])


@dataclass(frozen=True)
class Person:
    """A person at rest. Lengths in face units; the shares are in 0..1.

    resting_mouth and resting_lid make a resting face resemble an expression; gains are the strengths of the person's
    movements, in the order of the fields of `Expression`.
    """

    head_width: float
    jaw_width: float
    chin_length: float
    skin: Color
    hair: Color
    hair_height: float
    hairline: float
    hair_length: float
    hair_part: float
    brow_height: float
    brow_tilt: float
    brow_thickness: float
    eye_distance: float
    eye_width: float
    eye_height: float
    eye_tilt: float
    iris: Color
    nose_length: float
    nose_width: float
    mouth_height: float
    mouth_width: float
    lip_fullness: float
    lip_redness: float
    beard: float
    glasses: bool
    mole: tuple[float, float] | None
    resting_mouth: float
    resting_lid: float
    gains: tuple[float, ...]


def draw_person(rng: np.random.Generator, num_gains: int) -> Person:
    """A person from the distributions; `num_gains` is the number of an expression's fields."""

    def around(center: float, spread: float) -> float:
        return float(center + spread * np.clip(rng.normal(), -2.2, 2.2))

    return Person(
        head_width=around(0.76, 0.04),
        jaw_width=around(0.80, 0.07),
        chin_length=around(1.0, 0.045),
        skin=_between(_SKIN, rng.beta(1.3, 1.8)),
        hair=_between(_HAIR, rng.beta(0.8, 1.2)),
        hair_height=around(0.18, 0.06),
        hairline=around(-0.68, 0.07),
        hair_length=float(rng.choice([0.0, 0.25, 0.7, 1.2]) + rng.uniform(-0.1, 0.1)),
        hair_part=around(0.0, 0.35),
        brow_height=around(-0.33, 0.028),
        brow_tilt=around(0.0, 0.022),
        brow_thickness=around(0.06, 0.014),
        eye_distance=around(0.335, 0.022),
        eye_width=around(0.165, 0.013),
        eye_height=around(0.066, 0.009),
        eye_tilt=around(0.0, 0.02),
        iris=_between(_IRIS, rng.uniform()),
        nose_length=around(0.40, 0.035),
        nose_width=around(0.14, 0.02),
        mouth_height=around(0.60, 0.025),
        mouth_width=around(0.255, 0.026),
        lip_fullness=around(0.062, 0.013),
        lip_redness=around(0.5, 0.2),
        beard=float(max(0.0, rng.uniform(-1.2, 1.0))),
        glasses=bool(rng.uniform() < 0.15),
        mole=(float(rng.uniform(-0.45, 0.45)), float(rng.uniform(0.25, 0.8))) if rng.uniform() < 0.4 else None,
        resting_mouth=around(0.0, 0.13),
        resting_lid=around(0.0, 0.13),
        gains=tuple(float(gain) for gain in np.exp(0.22 * rng.normal(size=num_gains)).clip(0.55, 1.5)),
    )


def _between(colors: np.ndarray, position: float) -> Color:
    """The colour at a position in 0..1 along a row of colours."""
    place = position * (len(colors) - 1)
    red, green, blue = (float(np.interp(place, np.arange(len(colors)), channel)) for channel in colors.T)
    return red, green, blue
