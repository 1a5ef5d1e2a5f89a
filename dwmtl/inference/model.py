"""A model ready for use: it finds the faces of photos itself, crops and standardises them as in its training, and
answers. Opens photos and model files; draws and prints nothing."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, overload

import numpy as np
import torch
from PIL import Image

from dwmtl.crops.photos import photo_pixels
from dwmtl.device import device_of
from dwmtl.errors import ModelFileError, NoFaceError, ProtocolError, ThresholdError, UnreadablePhotoError
from dwmtl.inference.answers import Analysis, AuthenticationAnswer, ClipAnswer, Face, VerificationAnswer
from dwmtl.inference.challenge import Challenge, ChallengeState, Sight
from dwmtl.inference.crop_answers import CropAnswers
from dwmtl.inference.decisions import authenticated, clip_decided, distance_between, sight_of, verified
from dwmtl.inference.face_finder import FaceFinder, FoundFace
from dwmtl.inference.model_source import find_threshold, given_threshold, local_model
from dwmtl.network.model_file import ModelCard
from dwmtl.network.model_file import load_model as read_model
from dwmtl.network.network import EXPRESSION, FaceNetwork
from dwmtl.scores.operating_threshold import Threshold

Photo = Path | str | Image.Image | np.ndarray
"""A photo's path, a picture of Pillow, or pixels (H, W, 3) uint8 RGB."""

NEUTRAL = "neutral"
_CROPS_AT_A_TIME = 64
_FRAMES_AT_A_TIME = 8


def load_model(
    source: Path | str,
    *,
    device: str | torch.device = "auto",
    threshold: float | Path | str | None = None,
    weights: Literal["raw", "ema", "best"] = "raw",
) -> "FaceModel":
    """A model of ours, ready for photos.

    Args:
        source: a model's folder (`data/models/fold_0`) or a file in it, or MLflow's `runs:/<run>/<name>`,
            `models:/<name>/<version>`.
        device: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:<number>`.
        threshold: below which distance two faces are one person: a squared Euclidean distance, in (0, 4], or a file
            that `dwmtl evaluate` or the pipeline wrote for this model (`metrics/evaluation/fold_0/threshold.json`).
            None: `threshold.json` in the model's folder, or of the pipeline's evaluation of this very model; where
            there is neither, `verify` and `authenticate` need one and say so.
        weights: those at the training's end, their moving average, or those of the epoch that was best on the
            validation subjects, where the model has them.
    Raises:
        ModelFileError: no such model, or a damaged one.
        ParamsError: a device that is not there, or weights of no such name.
        ThresholdError: a threshold out of range, or a file that holds none for this model.
    """
    chosen_device = device_of(device)
    with local_model(source) as folder:
        network, card = read_model(folder, weights=weights)
        sha256 = card.sha256_of(weights)
        if threshold is None:
            found = find_threshold(folder, model_sha256=sha256)
        else:
            found = given_threshold(threshold, model_sha256=sha256)
    return FaceModel(network, card, device=chosen_device, threshold=found)


class FaceModel:
    """Answers about photos. Made by `load_model`. May be used from several threads at once, copied and pickled; and in
    a forked process, where torch has one thread.

    Attributes:
        card: what the model is: its tasks and classes, how its crops are aligned.
        device: where it runs.
        threshold: below which distance two faces are one person; None where none is known.
    """

    def __init__(self, network: FaceNetwork, card: ModelCard, *, device: torch.device, threshold: Threshold | None):
        self.card, self.device, self.threshold = card, device, threshold
        self._finder = FaceFinder(card, device=device)
        self._answers = CropAnswers(network).to(device).to(memory_format=torch.channels_last)

    @property
    def expressions(self) -> list[str]:
        """Names of the expressions that the model tells; empty where it tells none."""
        return self.card.classes(EXPRESSION)

    @overload
    def analyze(self, photos: Photo, *, faces: Literal["all", "chosen"] = "all") -> Analysis: ...

    @overload
    def analyze(self, photos: list | tuple, *, faces: Literal["all", "chosen"] = "all") -> list[Analysis]: ...

    def analyze(self, photos, *, faces="all"):
        """Find the faces of a photo, or of each of several, and tell what they show.

        Args:
            photos: one photo, or a list or tuple of them; they need not be of one size. All are in memory at once.
            faces: `all`; or `chosen`: of several the one that the photo is taken to be of, by the rule that the model's
                training crops were chosen by (`card.detector.select`).
        Returns:
            An answer a photo: one, or a list. A photo without a face is no error; its answer has no faces.
        Raises:
            UnreadablePhotoError: a file that is no whole picture, or pixels of another shape or type.
        """
        if faces not in ("all", "chosen"):
            raise ValueError(f"faces must be all or chosen. Got {faces!r} instead.")
        if isinstance(photos, list | tuple):
            return self._analyze(photos, faces)
        return self._analyze([photos], faces)[0]

    def verify(
        self, photo: Photo | Face, reference: Photo | Face, *, threshold: float | None = None
    ) -> VerificationAnswer:
        """Whether two photos show the same person. Of several faces in a photo, the chosen one is compared.

        Args:
            photo, reference: photos, or faces of an earlier `analyze`.
            threshold: in place of the model's own, a squared Euclidean distance.
        Raises:
            NoFaceError: a photo in which no face is found.
            ThresholdError: none is given, and the model has none.
            UnreadablePhotoError: see `analyze`.
        """
        limit = self._limit(threshold)
        face, known = self._faces_of(photo, reference)
        return verified(face, known, limit)

    def authenticate(
        self,
        photo: Photo | Face,
        reference: Photo | Face,
        expression: str = "happiness",
        *,
        threshold: float | None = None,
    ) -> AuthenticationAnswer:
        """Whether a photo shows the reference's person with a required expression: the most probable one is it.

        A photograph of the person passes as well; `authenticate_clip` asks for a change of expression.

        Args:
            photo, reference, threshold: as `verify`.
            expression: one of `expressions`.
        Raises:
            As `verify`; and ProtocolError: the model does not know the expression.
        """
        limit = self._limit(threshold)
        self._require_expressions(expression)
        face, known = self._faces_of(photo, reference)
        return authenticated(face, known, expression, limit)

    def authenticate_clip(
        self,
        frames: Iterable[Photo] | Path | str,
        reference: Photo | Face,
        expression: str = "happiness",
        *,
        min_frames: int = 1,
        threshold: float | None = None,
    ) -> ClipAnswer:
        """Whether a clip shows the reference's person, neutral first and then with a required expression.

        Args:
            frames: in their order; a few are in memory at once, and none is looked at after an acceptance. Or the path
                of a clip, see `clip_file.clip_frames`.
            reference, expression, threshold: as `authenticate`.
            min_frames: frames in a row that must show either one, see `Challenge`.
        Raises:
            As `authenticate`, but for frames without a face, which are no error. ProtocolError: the expression is the
            neutral one, to which there is no change.
        """
        limit = self._limit(threshold)
        self._require_expressions(expression, NEUTRAL)
        if expression == NEUTRAL:
            others = ", ".join(name for name in self.expressions if name != NEUTRAL)
            raise ProtocolError(f"a clip must change from {NEUTRAL} to another expression: {others}. Name one of them.")
        (known,) = self._faces_of(reference)
        challenge = Challenge(expression, neutral=NEUTRAL, min_frames=min_frames)
        distances = []
        for frame in self._analyzed_frames(_frames_of(frames)):
            if frame.chosen is not None:
                distances.append(distance_between(frame.chosen, known, limit))
            if challenge.see(sight_of(frame, known, limit)) == ChallengeState.ACCEPTED:
                break
        return clip_decided(challenge, distances, limit)

    def sight(self, frame: Photo, reference: Face, *, threshold: float | None = None) -> Sight:
        """What a frame shows, for a `Challenge` whose frames come one by one, as from a camera."""
        return sight_of(self.analyze(frame, faces="chosen"), reference, self._limit(threshold))

    def _analyze(self, photos: Sequence[Photo], faces: str) -> list[Analysis]:
        names = [str(photo) if isinstance(photo, str | Path) else f"photo {i}" for i, photo in enumerate(photos)]
        pixels = [photo_pixels(photo, name) for photo, name in zip(photos, names, strict=True)]
        found = self._finder.find(pixels)
        asked = [[face for face in row if face.is_chosen or faces == "all"] for row in found]
        told = iter(self._ask([face.crop for row in asked for face in row]))
        return [
            Analysis(
                photo=name,
                width_px=photo.shape[1],
                height_px=photo.shape[0],
                num_faces=len(row),
                faces=tuple(_face(face, *next(told)) for face in wanted),
            )
            for name, photo, row, wanted in zip(names, pixels, found, asked, strict=True)
        ]

    def _ask(self, crops: list[np.ndarray]) -> list[tuple[np.ndarray, dict[str, dict[str, float]]]]:
        """Each crop's embedding, and its probabilities by task and class."""
        told = []
        for start in range(0, len(crops), _CROPS_AT_A_TIME):
            batch = torch.from_numpy(np.stack(crops[start : start + _CROPS_AT_A_TIME]))
            with torch.inference_mode():
                embeddings, *by_task = (values.cpu().numpy() for values in self._answers(batch.to(self.device)))
            for embedding, *rows in zip(embeddings, *by_task, strict=True):
                told.append((embedding, self._by_class(rows)))
        return told

    def _by_class(self, rows: list[np.ndarray]) -> dict[str, dict[str, float]]:
        return {
            task: dict(zip(self.card.classes(task), probabilities.tolist(), strict=True))
            for task, probabilities in zip(self._answers.tasks, rows, strict=True)
        }

    def _analyzed_frames(self, frames: Iterable[Photo]) -> Iterator[Analysis]:
        frames = iter(frames)
        while batch := list(islice(frames, _FRAMES_AT_A_TIME)):
            yield from self._analyze(batch, "chosen")

    def _faces_of(self, *photos: Photo | Face) -> list[Face]:
        """The chosen face of each photo, or the face itself."""
        analyses = iter(self._analyze([photo for photo in photos if not isinstance(photo, Face)], "chosen"))
        return [photo if isinstance(photo, Face) else _chosen_face(next(analyses)) for photo in photos]

    def _limit(self, given: float | None) -> Threshold:
        if given is not None:
            return given_threshold(float(given), model_sha256="")
        if self.threshold is None:
            raise ThresholdError(
                "no threshold is known for this model: below which distance two faces are one person. Give a number, "
                "or the scores file that `dwmtl evaluate` writes for it; see docs/use_the_model.md."
            )
        return self.threshold

    def _require_expressions(self, *names: str) -> None:
        if not self.expressions:
            raise ModelFileError("this model tells no expressions (it has no such task). Take one of a fold.")
        for name in names:
            if name not in self.expressions:
                raise ProtocolError(f"the model knows no expression {name}; it knows {', '.join(self.expressions)}.")


def _frames_of(frames: Iterable[Photo] | Path | str) -> Iterable[Photo]:
    """A clip's frames, if a caller names its file.

    Raises:
        UnreadablePhotoError: what is no clip, but one photo.
    """
    if isinstance(frames, str | Path):
        from dwmtl.inference.clip_file import clip_frames  # OpenCV is heavy

        return clip_frames(Path(frames))
    if isinstance(frames, Image.Image | bytes) or (isinstance(frames, np.ndarray) and frames.ndim < 4):
        kind = type(frames).__name__
        raise UnreadablePhotoError(f"a clip is its frames in their order, or its file's path. Got one {kind} instead.")
    return frames


def _face(found: FoundFace, embedding: np.ndarray, probabilities: dict[str, dict[str, float]]) -> Face:
    return Face(
        box=tuple(found.box.tolist()),
        landmarks=found.landmarks,
        confidence=found.confidence,
        is_chosen=found.is_chosen,
        probabilities=probabilities,
        embedding=embedding,
    )


def _chosen_face(analysis: Analysis) -> Face:
    if analysis.chosen is None:
        raise NoFaceError(f"{analysis.photo}: no face found. Take a photo that shows one, larger or from the front.")
    return analysis.chosen
