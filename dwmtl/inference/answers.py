"""A model's answers, typed, as JSON values, and as a notebook shows them. Does not know how they are computed."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from dwmtl.scores.threshold import Threshold

Photo = Path | str | Image.Image | np.ndarray
"""A photo's path, a picture of Pillow, or pixels (H, W, 3) uint8 RGB."""


@dataclass(frozen=True, eq=False)
class Face:
    """A face found in a photo.

    Attributes:
        box: xyxy, pixels of the photo; may reach beyond its edges.
        landmarks: (5, 2) float32, xy, pixels: left eye, right eye, nose, left and right corner of the mouth, left and
            right as in the picture.
        confidence: the detector's, in [0, 1].
        is_chosen: whether it is the main face of the photo, by the model's rule.
        probabilities: of tasks of classes: name -> its classes' names -> probability; sums to 1 per task. `identity` is
            left out: its classes are the people of the training.
        values: of tasks of other kinds: name -> its columns' names -> the probability that a photo has the label
            (multi_label), or the value in the unit of the labels (regression).
        embedding: (D,) float32, unit length; the closer two are, the more likely they are of the same person.
    """

    box: tuple[float, float, float, float]
    landmarks: np.ndarray
    confidence: float
    is_chosen: bool
    probabilities: dict[str, dict[str, float]]
    embedding: np.ndarray
    values: dict[str, dict[str, float]] = field(default_factory=dict)

    def __repr__(self) -> str:
        box = ", ".join(f"{value:.0f}" for value in self.box)
        return f"Face(box=({box}), expression={self.expression!r}, confidence={self.confidence:.3f})"

    def most_likely(self, task: str) -> str | None:
        """The most probable class of a task; None where the model has no such task of classes."""
        classes = self.probabilities.get(task)
        return max(classes, key=classes.__getitem__) if classes else None

    @property
    def expression(self) -> str | None:
        """The most probable expression; None where the model does not predict expressions."""
        return self.most_likely("expression")

    def as_json(self, *, embedding: bool = True) -> dict[str, object]:
        """JSON values; `embedding`: include the embedding."""
        values = {
            "box": [round(float(value), 2) for value in self.box],
            "landmarks": [[round(float(value), 2) for value in point] for point in self.landmarks],
            "confidence": round(self.confidence, 6),
            "is_chosen": self.is_chosen,
            "probabilities": _rounded(self.probabilities),
            "values": _rounded(self.values),
        }
        return values | ({"embedding": [float(value) for value in self.embedding]} if embedding else {})


def _rounded(answers: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {task: {name: round(value, 6) for name, value in of_task.items()} for task, of_task in answers.items()}


@dataclass(frozen=True, eq=False)
class Analysis:
    """A model's answer about a photo.

    Attributes:
        photo: the photo's path, or its name in messages.
        width_px, height_px: size of the upright photo.
        num_faces: number of faces in the photo.
        faces: from left to right, all or only the chosen one, depending on the call; empty where there is none.
        source: the photo as it was given, which a notebook shows; a file is read again. None: nothing is shown.
    """

    photo: str
    width_px: int
    height_px: int
    num_faces: int
    faces: tuple[Face, ...]
    source: Photo | None = field(default=None, repr=False)

    def _repr_html_(self) -> str:
        from dwmtl.inference.notebook import analysis_html

        return analysis_html(self)

    @property
    def chosen(self) -> Face | None:
        """The chosen face; None where there is no face."""
        return next((face for face in self.faces if face.is_chosen), None)

    def as_json(self, *, embeddings: bool = True) -> dict[str, object]:
        """JSON values."""
        return {
            "photo": self.photo,
            "width_px": self.width_px,
            "height_px": self.height_px,
            "num_faces": self.num_faces,
            "faces": [face.as_json(embedding=embeddings) for face in self.faces],
        }


@dataclass(frozen=True, eq=False)
class VerificationAnswer:
    """Whether two faces are of the same person.

    Attributes:
        is_same: the distance is strictly below the threshold.
        distance: between the two embeddings, of the kind `threshold.distance`; lower is closer.
        face, reference: the two faces.
    """

    is_same: bool
    distance: float
    threshold: Threshold
    face: Face
    reference: Face

    @property
    def comparison(self) -> str:
        """The distance beside the threshold: `distance 0.412 < 1.052 (source)`."""
        sign = "<" if self.is_same else ">="
        return f"distance {self.distance:.3f} {sign} {self.threshold.value:.3f} ({self.threshold.source})"

    def _repr_html_(self) -> str:
        from dwmtl.inference.notebook import verdict_html

        return verdict_html("the same person" if self.is_same else "not the same person", self.comparison)

    def as_json(self) -> dict[str, object]:
        """JSON values."""
        return {
            "is_same": self.is_same,
            "distance": round(self.distance, 6),
            "threshold": round(self.threshold.value, 6),
            "distance_kind": self.threshold.distance,
            "threshold_source": self.threshold.source,
        }


@dataclass(frozen=True, eq=False)
class AuthenticationAnswer:
    """Whether a face is of the reference's person and shows the required expression.

    Attributes:
        is_accepted: both hold.
        shows_expression: the required expression is the most probable one.
        probability: of the required expression, in [0, 1].
    """

    is_accepted: bool
    shows_expression: bool
    expression_required: str
    probability: float
    verification: VerificationAnswer

    def _repr_html_(self) -> str:
        from dwmtl.inference.notebook import verdict_html

        shown = f"{self.expression_required} {self.probability:.1%}"
        return verdict_html("accepted" if self.is_accepted else "not accepted", shown, self.verification.comparison)

    @property
    def is_same(self) -> bool:
        """Whether the face is of the reference's person."""
        return self.verification.is_same

    def as_json(self) -> dict[str, object]:
        """JSON values."""
        return {
            "is_accepted": self.is_accepted,
            "shows_expression": self.shows_expression,
            "expression_required": self.expression_required,
            "expression_shown": self.verification.face.expression,
            "probability": round(self.probability, 6),
            **self.verification.as_json(),
        }


@dataclass(frozen=True, eq=False)
class ClipAnswer:
    """Whether a clip shows the reference's neutral face and then the required expression.

    Attributes:
        reason: a sentence that says what was shown, or what was missing.
        neutral_frame, expression_frame: the frames, from 0, at which either was shown; None where it was not.
        num_frames: analysed frames; those after an acceptance are not analysed.
        smallest_distance: to the reference, over all frames with a face; None without any.
    """

    is_accepted: bool
    reason: str
    expression_required: str
    neutral_frame: int | None
    expression_frame: int | None
    num_frames: int
    num_frames_with_face: int
    smallest_distance: float | None
    threshold: Threshold

    def _repr_html_(self) -> str:
        from dwmtl.inference.notebook import verdict_html

        frames = f"{self.num_frames} frames, {self.num_frames_with_face} with a face"
        return verdict_html("accepted" if self.is_accepted else "not accepted", self.reason, frames)

    def as_json(self) -> dict[str, object]:
        """JSON values."""
        distance = self.smallest_distance
        return {
            "is_accepted": self.is_accepted,
            "reason": self.reason,
            "expression_required": self.expression_required,
            "neutral_frame": self.neutral_frame,
            "expression_frame": self.expression_frame,
            "num_frames": self.num_frames,
            "num_frames_with_face": self.num_frames_with_face,
            "smallest_distance": None if distance is None else round(distance, 6),
            "threshold": round(self.threshold.value, 6),
            "distance_kind": self.threshold.distance,
            "threshold_source": self.threshold.source,
        }
