"""Painting on a photo in face units: shapes and strokes with smooth edges, rotated and scaled with the head."""

import cv2
import numpy as np

from dwmtl.rendered.person import Color

cv2.setNumThreads(1)  # the same bytes on every machine
_SUBPIXEL_BITS = 4
_INVISIBLE = 0.01


class Canvas:
    """A photo to paint on.

    Args:
        photo: (H, W, 3) float32 RGB, 0..255; painted in place.
        face_px: pixels per face unit.
        center: the origin, pixels.
        roll_deg: in-plane rotation of the head.
    """

    def __init__(self, photo: np.ndarray, *, face_px: float, center: tuple[float, float], roll_deg: float):
        self.photo = photo
        self.face_px = face_px
        roll = np.deg2rad(roll_deg)
        self._turn = face_px * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
        self._center = np.array(center)

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Face units (N, 2) -> pixels (N, 2)."""
        return np.asarray(points, dtype=np.float64) @ self._turn.T + self._center

    def to_face(self, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """x and y in face units of every pixel, (H, W) each."""
        y, x = np.mgrid[:height, :width].astype(np.float32)
        inverse = np.linalg.inv(self._turn).astype(np.float32)
        x, y = x - np.float32(self._center[0]), y - np.float32(self._center[1])
        return inverse[0, 0] * x + inverse[0, 1] * y, inverse[1, 0] * x + inverse[1, 1] * y

    def fill(self, points: np.ndarray, color: Color, *, alpha: float = 1.0, softness: float = 0.0) -> None:
        """Paint the inside of a polygon; softness is the width of its edge, face units."""
        if alpha < _INVISIBLE:
            return
        region = self._region(points, softness)
        share = alpha * self._mask(points, region, softness)[..., None]
        self.photo[region] = self.photo[region] * (1 - share) + share * np.array(color, np.float32)

    def fill_inside(self, points: np.ndarray, window: np.ndarray, color: Color) -> None:
        """Paint the intersection of two polygons."""
        region = self._region(points, 0.0)
        share = (self._mask(points, region, 0.0) * self._mask(window, region, 0.0))[..., None]
        self.photo[region] = self.photo[region] * (1 - share) + share * np.array(color, np.float32)

    def stroke(self, points: np.ndarray, color: Color, *, width: float | np.ndarray, alpha=1.0, softness=0.0) -> None:
        """Paint along a line; width in face units, for the whole line or per point."""
        if alpha < _INVISIBLE:
            return
        points = np.asarray(points, dtype=np.float64)
        along = np.gradient(points, axis=0)
        normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9
        half = np.broadcast_to(np.asarray(width) / 2, len(points))[:, None] * normal
        self.fill(np.concatenate([points + half, (points - half)[::-1]]), color, alpha=alpha, softness=softness)

    def mask(self, points: np.ndarray, softness: float = 0.0) -> np.ndarray:
        """Share of each pixel that lies in a polygon, (H, W) in 0..1."""
        height, width = self.photo.shape[:2]
        return self._mask(points, (slice(0, height), slice(0, width)), softness)

    def _region(self, points: np.ndarray, softness: float) -> tuple[slice, slice]:
        """The rectangle of the photo around a polygon and its soft edge; empty where it misses the photo."""
        pixels = self.to_pixels(points)
        pad = 2 + int(np.ceil(3 * softness * self.face_px))
        height, width = self.photo.shape[:2]
        low = np.clip(np.floor(pixels.min(axis=0)).astype(int) - pad, 0, [width, height])
        high = np.clip(np.ceil(pixels.max(axis=0)).astype(int) + pad, low, [width, height])
        return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))

    def _mask(self, points: np.ndarray, region: tuple[slice, slice], softness: float) -> np.ndarray:
        """Share of a region's pixels that lie in a polygon, in 0..1."""
        rows, columns = region
        mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
        if mask.size == 0:
            return mask.astype(np.float32)
        fixed = (self.to_pixels(points) - [columns.start, rows.start]) * (1 << _SUBPIXEL_BITS)
        cv2.fillPoly(mask, [np.round(fixed).astype(np.int32)], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
        if softness * self.face_px > 0.3:
            mask = cv2.GaussianBlur(mask, (0, 0), softness * self.face_px)
        return mask.astype(np.float32) / 255


def ellipse(x: float, y: float, half_width: float, half_height: float, num_points: int = 32) -> np.ndarray:
    """Points around an ellipse, (num_points, 2)."""
    angle = np.linspace(0, 2 * np.pi, num_points, endpoint=False)
    return np.stack([x + half_width * np.cos(angle), y + half_height * np.sin(angle)], axis=1)


def arc(start: tuple, middle: tuple, end: tuple, num_points: int = 16) -> np.ndarray:
    """Points of the parabola through three points, (num_points, 2)."""
    t = np.linspace(0, 1, num_points)[:, None]
    a, b, c = (np.array(point, dtype=np.float64) for point in (start, middle, end))
    control = 2 * b - (a + c) / 2
    return (1 - t) ** 2 * a + 2 * t * (1 - t) * control + t**2 * c
