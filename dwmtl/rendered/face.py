"""Drawing a person's face with an expression into a scene."""

import cv2
import numpy as np

from dwmtl.rendered.canvas import Canvas, arc, ellipse
from dwmtl.rendered.expression import Expression
from dwmtl.rendered.person import Color, Person
from dwmtl.rendered.scene import Scene

_SKULL_HEIGHT = 1.12  # from the origin to the top of the head without hair
_CORNER_FALL = 0.085  # of the mouth's corners, at a full `corner_down`


def draw_photo(
    person: Person, expression: Expression, scene: Scene, rng: np.random.Generator, *, height: int, width: int
) -> np.ndarray:
    """A photo, (height, width, 3) uint8 RGB, before its compression. `rng` draws the sensor's noise."""
    photo = _background(scene, height, width)
    canvas = Canvas(photo, face_px=scene.face_px, center=scene.center, roll_deg=scene.roll_deg)
    _draw_behind(canvas, person, scene)
    head = _head_outline(person, expression)
    canvas.fill(head, person.skin, softness=0.01)
    features = _Features(canvas, person, expression, scene)
    features.draw()
    _shade(canvas, person, scene, head)
    _draw_hair_front(canvas, person)
    if person.glasses:
        features.draw_glasses()
    return _camera(photo, scene, rng)


def _background(scene: Scene, height: int, width: int) -> np.ndarray:
    """A soft blend of two colours from corner to corner."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    share = ((x / width + y / height) / 2)[..., None]
    first, second = (np.array(color, np.float32) for color in scene.background)
    return first * (1 - share) + second * share


def _head_outline(person: Person, expression: Expression) -> np.ndarray:
    """Skull above, jaw below; a dropped jaw lengthens the face. (96, 2)."""
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    cos, sin = np.cos(angle), np.sin(angle)
    chin = person.chin_length + 0.11 * expression.jaw_drop
    below = sin > 0
    narrowing = np.where(below, 1 - (1 - person.jaw_width) * sin**2 * (1 - 0.3 * sin), 1.0)
    x = person.head_width * np.sign(cos) * np.abs(cos) ** np.where(below, 0.82, 0.95) * narrowing
    y = np.where(below, chin * np.sign(sin) * np.abs(sin) ** 1.05, _SKULL_HEIGHT * sin)
    return np.stack([x, y], axis=1)


def _draw_behind(canvas: Canvas, person: Person, scene: Scene) -> None:
    """Hair behind the head, neck, clothes and ears."""
    width = person.head_width
    if person.hair_length > 0.1:
        drop = person.hair_length
        sides = np.array([[1.18, -0.3], [1.22, drop * 0.6], [1.1, drop + 0.25], [0.6, drop + 0.3]]) * [width, 1]
        canvas.fill(np.concatenate([sides, sides[::-1] * [-1, 1]]), _scaled(person.hair, 0.8), softness=0.02)
    canvas.fill(ellipse(0, -0.35, width * 1.13, 0.85 + person.hair_height), _scaled(person.hair, 0.85), softness=0.015)
    neck = np.array([[-0.42, 0.5], [0.42, 0.5], [0.48, 1.5], [-0.48, 1.5]])
    canvas.fill(neck, _scaled(person.skin, 0.78), softness=0.02)
    shoulders = np.concatenate(
        [arc((-2.2, 2.9), (-1.3, 1.45), (-0.42, 1.3)), arc((0.42, 1.3), (1.3, 1.45), (2.2, 2.9))]
    )
    canvas.fill(shoulders, scene.clothes, softness=0.01)
    for side in (-1, 1):
        x = side * (width + 0.03) - 0.5 * scene.yaw
        canvas.fill(ellipse(x, 0.05, 0.09, 0.2), _scaled(person.skin, 0.88), softness=0.01)
        canvas.stroke(arc((x, -0.08), (x + side * 0.04, 0.02), (x, 0.14)), _scaled(person.skin, 0.65), width=0.02)


def _draw_hair_front(canvas: Canvas, person: Person) -> None:
    """The cap of hair, from the crown to the hairline with its parting."""
    width, top = person.head_width, -_SKULL_HEIGHT - person.hair_height
    line, part = person.hairline, np.clip(person.hair_part, -0.6, 0.6) * width
    angle = np.linspace(np.pi, 2 * np.pi, 32)
    crown = np.stack([1.07 * width * np.cos(angle), -0.3 + (top + 0.3) * -np.sin(angle)], axis=1)
    fringe = np.concatenate(
        [
            arc((0.93 * width, -0.28), (0.75 * width, line + 0.06), (part, line - 0.03), 12),
            arc((part, line - 0.03), (-0.75 * width, line + 0.06), (-0.93 * width, -0.28), 12),
        ]
    )
    canvas.fill(np.concatenate([crown, fringe]), person.hair, softness=0.015)
    for place in np.linspace(-0.8, 0.8, 7):
        strand = arc((part, line - 0.05), ((part + place * width) / 2, top * 0.93), (place * width, -0.72), 8)
        strand[:, 1] = np.maximum(strand[:, 1], top * 0.97)
        canvas.stroke(strand, _scaled(person.hair, 1.35), width=0.018, alpha=0.3)


class _Features:
    """Brows, eyes, nose, mouth and folds. Points shift with yaw and pitch, most in the middle of the face."""

    def __init__(self, canvas: Canvas, person: Person, expression: Expression, scene: Scene):
        self.canvas, self.person, self.expression, self.scene = canvas, person, expression, scene
        self.shadow = _scaled(person.skin, 0.62)

    def draw(self) -> None:
        """Draw all of them, from the skin up."""
        self._draw_beard()
        self._draw_folds()
        self._draw_nose()
        self._draw_mouth()
        for side in (-1, 1):
            self._draw_eye(side)
            self._draw_brow(side)
        if self.person.mole:
            self.canvas.fill(self._turn(ellipse(*self.person.mole, 0.022, 0.022)), _scaled(self.person.skin, 0.45))

    def draw_glasses(self) -> None:
        """Draw the glasses' frames; last, over hair and shade."""
        for side in (-1, 1):
            ring = self._turn(ellipse(side * self.person.eye_distance, 0.0, 0.25, 0.19))
            self.canvas.stroke(np.concatenate([ring, ring[:2]]), (35, 30, 30), width=0.03, alpha=0.9)
        self.canvas.stroke(
            self._turn(arc((-0.1, -0.02), (0, -0.06), (0.1, -0.02))), (35, 30, 30), width=0.03, alpha=0.9
        )

    def _turn(self, points: np.ndarray) -> np.ndarray:
        points = np.asarray(points, dtype=np.float64)
        depth = np.sqrt(np.clip(1 - (points[:, 0] / 0.9) ** 2 - (points[:, 1] / 1.25) ** 2, 0, 1))[:, None]
        return points + depth * np.array([self.scene.yaw, self.scene.pitch])

    def _draw_brow(self, side: int) -> None:
        person, move = self.person, self.expression
        x = person.eye_distance
        lower = 0.085 * move.brow_lower
        inner = person.brow_height + person.brow_tilt - 0.13 * move.inner_brow_raise + 1.25 * lower
        outer = person.brow_height - person.brow_tilt - 0.10 * move.outer_brow_raise + 0.45 * lower
        middle = (inner + outer) / 2 - 0.055 - 0.02 * move.outer_brow_raise
        pull = 0.045 * move.brow_lower
        line = arc((side * (x - 0.19 - pull), inner), (side * x, middle), (side * (x + 0.23), outer + 0.03), 14)
        width = person.brow_thickness * np.linspace(1.15, 0.35, 14)
        self.canvas.stroke(self._turn(line), _scaled(person.hair, 0.75), width=width, alpha=0.85, softness=0.008)

    def _draw_eye(self, side: int) -> None:
        person, move, canvas = self.person, self.expression, self.canvas
        x, half_width = side * person.eye_distance, person.eye_width
        openness = 1 + 0.55 * move.lid_raise - 0.45 * move.lid_tighten - 0.2 * move.cheek_raise + person.resting_lid
        upper = person.eye_height * max(openness, 0.25)
        lower = person.eye_height * 0.75 * max(1 - 0.6 * move.lid_tighten - 0.55 * move.cheek_raise, 0.15)
        tilt = person.eye_tilt
        inner, outer = (x - side * half_width, tilt), (x + side * half_width, -tilt)
        top = self._turn(arc(inner, (x, -upper), outer))
        bottom = self._turn(arc(outer, (x, lower), inner))
        opening = np.concatenate([top, bottom])
        canvas.fill(self._turn(ellipse(x, -0.02, half_width * 1.25, 0.13)), self.shadow, alpha=0.25, softness=0.03)
        canvas.fill(opening, (236, 232, 228))
        pupil_x, pupil_y = self._turn(np.array([[x, -0.005]]))[0]
        canvas.fill_inside(ellipse(pupil_x, pupil_y, 0.082, 0.082), opening, _scaled(person.iris, 0.9))
        canvas.fill_inside(ellipse(pupil_x, pupil_y, 0.038, 0.038), opening, (12, 10, 10))
        canvas.fill_inside(ellipse(pupil_x - 0.025, pupil_y - 0.025, 0.014, 0.014), opening, (250, 250, 250))
        canvas.stroke(top, (42, 30, 28), width=0.026, alpha=0.9)
        canvas.stroke(bottom, self.shadow, width=0.014, alpha=0.7)
        crease = top + np.array([0, -0.035 - 0.02 * move.lid_raise])
        canvas.stroke(crease, self.shadow, width=0.014, alpha=0.5)

    def _draw_nose(self) -> None:
        person, move, canvas = self.person, self.expression, self.canvas
        lift = 0.045 * move.nose_wrinkle + 0.02 * move.upper_lip_raise
        tip, half = person.nose_length - lift, person.nose_width * (1 + 0.12 * move.nose_wrinkle)
        light = 1 if self.scene.light[0] <= 0 else -1
        bridge = arc((light * 0.07, -0.1), (light * 0.06, tip / 2), (light * half * 0.8, tip - 0.03))
        canvas.stroke(self._turn(bridge), self.shadow, width=0.05, alpha=0.35, softness=0.02)
        canvas.fill(
            self._turn(ellipse(0, tip - 0.05, half * 0.55, 0.07)), _scaled(person.skin, 1.12), alpha=0.5, softness=0.03
        )
        canvas.stroke(
            self._turn(arc((-half, tip - 0.03), (0, tip + 0.05), (half, tip - 0.03))),
            self.shadow,
            width=0.03,
            alpha=0.6,
            softness=0.01,
        )
        for side in (-1, 1):
            nostril = ellipse(side * half * 0.5, tip, half * 0.24, 0.02)
            canvas.fill(self._turn(nostril), _scaled(person.skin, 0.3), alpha=0.8)
            wing = arc((side * half * 0.9, tip - 0.1), (side * half * 1.15, tip - 0.04), (side * half * 0.85, tip))
            canvas.stroke(self._turn(wing), self.shadow, width=0.02, alpha=0.6)
            for number in range(2):
                y = 0.02 + 0.07 * number
                wrinkle = arc((side * 0.03, y - 0.03), (side * 0.08, y), (side * 0.12, y + 0.05))
                canvas.stroke(self._turn(wrinkle), self.shadow, width=0.016, alpha=0.75 * min(move.nose_wrinkle, 1.0))

    def _draw_mouth(self) -> None:
        person, move, canvas = self.person, self.expression, self.canvas
        half = person.mouth_width * (
            1 + 0.22 * move.corner_up + 0.28 * move.lip_stretch - 0.14 * move.lip_press - 0.16 * move.jaw_drop
        )
        y = person.mouth_height + 0.03 * move.jaw_drop
        corner = y + 0.035 * person.resting_mouth + _CORNER_FALL * move.corner_down - 0.10 * move.corner_up
        opening = 0.21 * move.jaw_drop + 0.075 * move.lips_part
        raised = 0.05 * move.upper_lip_raise
        full = person.lip_fullness * (1 - 0.6 * move.lip_press)
        inner_top, inner_bottom = y - 0.35 * opening - raised, y + 0.65 * opening - 0.4 * raised
        left, right = (-half, corner), (half, corner)
        lip = _blend(person.skin, (168, 60, 66), 0.35 + 0.4 * np.clip(person.lip_redness, 0, 1))
        outer = np.concatenate(
            [arc(left, (0, inner_top - full), right), arc(right, (0, inner_bottom + 1.25 * full), left)]
        )
        canvas.fill(self._turn(outer), lip, softness=0.008)
        inside = self._turn(np.concatenate([arc(left, (0, inner_top), right), arc(right, (0, inner_bottom), left)]))
        if opening + raised > 0.012:
            canvas.fill(inside, (62, 22, 24))
            teeth = self._turn(
                np.concatenate(
                    [
                        arc((-half * 0.85, corner), (0, inner_top), (half * 0.85, corner)),
                        [[half * 0.7, inner_top + 0.055], [-half * 0.7, inner_top + 0.055]],
                    ]
                )
            )
            canvas.fill_inside(teeth, inside, (232, 226, 214))
        line = arc(left, (0, (inner_top + inner_bottom) / 2), right)
        if opening <= 0.03:
            canvas.stroke(self._turn(line), _scaled(lip, 0.45), width=0.02 + 0.008 * move.lip_press, alpha=0.9)
        below = arc(
            (-half * 0.5, inner_bottom + 1.25 * full + 0.05),
            (0, inner_bottom + 1.25 * full + 0.075),
            (half * 0.5, inner_bottom + 1.25 * full + 0.05),
        )
        canvas.stroke(self._turn(below), self.shadow, width=0.03, alpha=0.35, softness=0.015)

    def _draw_folds(self) -> None:
        """Furrows of movements: between brows, on the forehead, from nose to mouth, beside eyes, below the mouth."""
        person, move, canvas = self.person, self.expression, self.canvas
        for number in range(3):
            y = -0.5 - 0.07 * number
            line = arc((-0.35, y + 0.02), (0, y - 0.03 * move.outer_brow_raise), (0.35, y + 0.02))
            alpha = 0.5 * min(0.6 * move.inner_brow_raise + 0.5 * move.outer_brow_raise, 1.0)
            canvas.stroke(self._turn(line), self.shadow, width=0.016, alpha=alpha)
        for side in (-1, 1):
            furrow = arc((side * 0.06, -0.42), (side * 0.045, -0.33), (side * 0.06, -0.24))
            canvas.stroke(self._turn(furrow), self.shadow, width=0.02, alpha=0.8 * min(move.brow_lower, 1.0))
            deep = min(0.15 + 0.7 * move.corner_up + 0.7 * move.upper_lip_raise + 0.3 * move.lip_stretch, 1.0)
            spread = 0.05 * move.corner_up
            fold = arc((side * 0.19, 0.34), (side * (0.29 + spread), 0.42), (side * (0.33 + spread), 0.58))
            canvas.stroke(self._turn(fold), self.shadow, width=0.022, alpha=0.6 * deep, softness=0.006)
            for number in (-1, 0, 1):
                x = side * (person.eye_distance + person.eye_width + 0.03)
                foot = arc((x, 0.02 * number), (x + side * 0.05, 0.035 * number), (x + side * 0.1, 0.06 * number))
                canvas.stroke(self._turn(foot), self.shadow, width=0.014, alpha=0.6 * min(move.cheek_raise, 1.0))
            x, y = side * person.mouth_width, person.mouth_height + _CORNER_FALL * move.corner_down
            pouch = arc((1.02 * x, y + 0.02), (1.14 * x, y + 0.09), (1.08 * x, y + 0.17))
            canvas.stroke(self._turn(pouch), self.shadow, width=0.022, alpha=0.7 * min(move.corner_down, 1.0))
            bag = arc((side * 0.18, 0.13), (side * person.eye_distance, 0.18), (side * 0.5, 0.11))
            canvas.stroke(
                self._turn(bag), self.shadow, width=0.018, alpha=0.15 + 0.5 * min(move.cheek_raise, 1.0), softness=0.006
            )

    def _draw_beard(self) -> None:
        beard = self.person.beard
        if beard <= 0:
            return
        chin = self.person.chin_length + 0.1 * self.expression.jaw_drop
        width = self.person.head_width
        area = np.concatenate(
            [
                arc((-0.95 * width, 0.2), (0, 0.55), (0.95 * width, 0.2)),
                arc((0.85 * width, 0.45), (0, chin + 0.08), (-0.85 * width, 0.45)),
            ]
        )
        self.canvas.fill(area, _scaled(self.person.hair, 0.9), alpha=0.5 * beard, softness=0.04)
        self.canvas.fill(ellipse(0, 0.51, 0.3, 0.06), _scaled(self.person.hair, 0.9), alpha=0.6 * beard, softness=0.02)


def _shade(canvas: Canvas, person: Person, scene: Scene, head: np.ndarray) -> None:
    """Light the head as an ellipsoid: brighter towards the light, darker away from it."""
    x, y = canvas.to_face(*canvas.photo.shape[:2])
    nx, ny = x / (person.head_width * 1.12) - 0.5 * scene.yaw, (y + 0.05) / 1.25 - 0.5 * scene.pitch
    nz = np.sqrt(np.clip(1 - nx**2 - ny**2, 0.02, 1))
    lit = np.clip(nx * scene.light[0] + ny * scene.light[1] + nz * scene.light[2], 0, 1)
    gain = 1.08 - scene.light_strength + scene.light_strength * lit
    share = canvas.mask(head, softness=0.02)
    canvas.photo *= (1 + share * (gain - 1))[..., None]


def _camera(photo: np.ndarray, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """White balance, blur and sensor noise; to 8 bit."""
    seen = cv2.GaussianBlur(photo * np.array(scene.tint, np.float32), (0, 0), scene.blur_px)
    seen = seen + scene.noise * rng.standard_normal(photo.shape, dtype=np.float32)
    return np.clip(np.round(seen), 0, 255).astype(np.uint8)


def _scaled(color: Color, gain: float) -> Color:
    red, green, blue = color
    return min(255.0, red * gain), min(255.0, green * gain), min(255.0, blue * gain)


def _blend(first: Color, second: Color, share: float) -> Color:
    red, green, blue = (a * (1 - share) + b * share for a, b in zip(first, second, strict=True))
    return red, green, blue
