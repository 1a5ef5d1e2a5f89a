"""The scene of a rendered photo: pose, light, background, camera; what a network must ignore."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scene:
    """How a face is photographed.

    yaw and pitch shift the inner features, in face units; the light's direction points away from the face, z towards
    the camera.
    """

    face_px: float
    center: tuple[float, float]
    roll_deg: float
    yaw: float
    pitch: float
    light: tuple[float, float, float]
    light_strength: float
    tint: tuple[float, float, float]
    background: tuple[tuple[float, float, float], tuple[float, float, float]]
    clothes: tuple[float, float, float]
    blur_px: float
    noise: float
    jpeg_quality: int


def draw_scene(rng: np.random.Generator, *, height: int, width: int, difficulty: float) -> Scene:
    """A scene for a photo of a size in pixels; difficulty in 0..1 scales all variation."""
    spread = 0.15 + difficulty
    side = rng.normal() * 0.6 * spread
    light = np.array([side, -0.5 + 0.3 * spread * rng.normal(), 1.0])
    light /= np.linalg.norm(light)
    return Scene(
        face_px=0.27 * height * float(np.exp(0.08 * spread * np.clip(rng.normal(), -2, 2))),
        center=(
            width * (0.5 + 0.03 * spread * float(np.clip(rng.normal(), -2, 2))),
            height * (0.50 + 0.025 * spread * float(np.clip(rng.normal(), -2, 2))),
        ),
        roll_deg=float(7 * spread * np.clip(rng.normal(), -2, 2)),
        yaw=float(0.085 * spread * np.clip(rng.normal(), -2, 2)),
        pitch=float(0.05 * spread * np.clip(rng.normal(), -2, 2)),
        light=tuple(light.tolist()),
        light_strength=float(rng.uniform(0.3, 0.45 + 0.35 * spread)),
        tint=tuple(np.exp(0.07 * spread * rng.normal(size=3)).tolist()),
        background=(_color(rng, 40, 215), _color(rng, 40, 215)),
        clothes=_color(rng, 20, 235),
        blur_px=float(rng.uniform(0.2, 0.45 + 0.7 * spread)),
        noise=float(rng.uniform(1.0, 2.0 + 6.0 * spread)),
        jpeg_quality=int(rng.integers(95 - int(35 * min(spread, 1.0)), 96)),
    )


def _color(rng: np.random.Generator, low: float, high: float) -> tuple[float, float, float]:
    """A muted colour."""
    grey = rng.uniform(low, high)
    return tuple(np.clip(grey + 25 * rng.normal(size=3), 0, 255).tolist())
