"""A model ready for use: detects the faces of photos, crops and standardises them as in its training, and answers.

Opens photos and model files; draws and prints nothing.
"""

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
from dwmtl.inference.answers import Analysis, AuthenticationAnswer, ClipAnswer, Face, Photo, VerificationAnswer
from dwmtl.inference.challenge import Challenge, ChallengeState, Sight
from dwmtl.inference.clip_file import clip_frames
from dwmtl.inference.crop_answers import CropAnswers
from dwmtl.inference.decisions import authenticated, clip_decided, distance_between, sight_of, verified
from dwmtl.inference.face_finder import FaceFinder, FoundFace
from dwmtl.inference.model_source import local_model
from dwmtl.inference.threshold_source import find_threshold, given_threshold
from dwmtl.network.model_card import ModelCard
from dwmtl.network.model_file import load_model as read_model
from dwmtl.network.model_file import sha256_of
from dwmtl.network.network import EXPRESSION, FaceNetwork
from dwmtl.scores.threshold import Threshold

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
    """Load a model of dwmtl for use on photos.

    Args:
        source: a model's folder (`data/models/fold_0`) or a file in it, or MLflow's `runs:/<run>/<name>`,
            `models:/<name>/<version>`.
        device: `auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:<number>`.
        threshold: distance below which two faces are of the same person: a squared Euclidean distance, in (0, 4], or a
            file that `dwmtl evaluate` or the pipeline wrote for this model, such as
            `metrics/evaluation/fold_0/threshold.json`. None: `threshold.json` in the model's folder, or of the
            pipeline's evaluation of this model; without either, `verify` and `authenticate` raise ThresholdError.
        weights: the weights after the last epoch, their moving average, or those of the epoch that was best on the
            validation subjects, where the model has them.
    Raises:
        ModelFileError: there is no such model, or it is damaged.
        ParamsError: there is no such device, or no weights of this name.
        ThresholdError: the threshold is out of range, or the file has none for this model.
    """
    chosen_device = device_of(device)
    with local_model(source) as folder:
        network, card = read_model(folder, weights=weights)
        sha256 = sha256_of(card, weights)
        if threshold is None:
            limit = find_threshold(folder, model_sha256=sha256)
        else:
            limit = given_threshold(threshold, model_sha256=sha256)
    return FaceModel(network, card, device=chosen_device, threshold=limit)


class FaceModel:
    """A model that answers about photos, made by `load_model`.

    It is thread-safe, can be copied and pickled, and works in a forked process, where torch then has one thread.

    Attributes:
        card: the model's tasks and classes, and how its crops are aligned.
        device: device of the network and the detector.
        threshold: distance below which two faces are of the same person; None if unknown.
    """

    def __init__(self, network: FaceNetwork, card: ModelCard, *, device: torch.device, threshold: Threshold | None):
        self.card, self.device, self.threshold = card, device, threshold
        self._finder = FaceFinder(card, device=device)
        self._answers = CropAnswers(network).to(device).to(memory_format=torch.channels_last)

    def __repr__(self) -> str:
        limit = "no threshold" if self.threshold is None else f"threshold {self.threshold.value:.3f}"
        return f"FaceModel({', '.join(self.card.tasks)}; {self.card.network.trunk}; {self.device}; {limit})"

    @property
    def expressions(self) -> list[str]:
        """Names of the expressions that the model predicts; empty where it does not."""
        return self.card.classes(EXPRESSION)

    @overload
    def analyze(self, photos: Photo, *, faces: Literal["all", "chosen"] = "all") -> Analysis: ...

    @overload
    def analyze(self, photos: list | tuple, *, faces: Literal["all", "chosen"] = "all") -> list[Analysis]: ...

    def analyze(self, photos, *, faces="all"):
        """Detect the faces of one or several photos, and compute their embeddings and predictions.

        Args:
            photos: a photo, or a list or tuple of photos of any sizes. All are in memory at once.
            faces: `all`; or `chosen`: only the main face of each photo, by the rule that chose the model's training
                crops (`card.detector.select`).
        Returns:
            An answer per photo: one, or a list. The answer for a photo without a face has no faces.
        Raises:
            UnreadablePhotoError: a file is not a whole picture, or pixels have another shape or type.
        """
        if faces not in ("all", "chosen"):
            raise ValueError(f"faces must be all or chosen. Got {faces!r} instead.")
        if isinstance(photos, list | tuple):
            return self._analyze(photos, faces)
        return self._analyze([photos], faces)[0]

    def verify(
        self, photo: Photo | Face, reference: Photo | Face, *, threshold: float | None = None
    ) -> VerificationAnswer:
        """Decide whether two photos show the same person. Of several faces in a photo, the chosen one is compared.

        Args:
            photo, reference: photos, or faces of an earlier `analyze`.
            threshold: a squared Euclidean distance, instead of the model's threshold.
        Raises:
            NoFaceError: a photo shows no face.
            ThresholdError: no threshold is given, and the model has none.
            UnreadablePhotoError: see `analyze`.
        """
        limit = self._limit(threshold)
        face, reference_face = self._faces_of(photo, reference)
        return verified(face, reference_face, limit)

    def authenticate(
        self,
        photo: Photo | Face,
        reference: Photo | Face,
        expression: str = "happiness",
        *,
        threshold: float | None = None,
    ) -> AuthenticationAnswer:
        """Decide whether a photo shows the reference's person with a required expression as the most probable one.

        A photograph of the person passes as well; `authenticate_clip` requires a change of expression.

        Args:
            photo, reference, threshold: as in `verify`.
            expression: one of `expressions`.
        Raises:
            As `verify`, and ProtocolError: the model does not predict the expression.
        """
        limit = self._limit(threshold)
        self._require_expressions(expression)
        face, reference_face = self._faces_of(photo, reference)
        return authenticated(face, reference_face, expression, limit)

    def authenticate_clip(
        self,
        frames: Iterable[Photo] | Path | str,
        reference: Photo | Face,
        expression: str = "happiness",
        *,
        min_frames: int = 1,
        threshold: float | None = None,
    ) -> ClipAnswer:
        """Decide whether a clip shows the reference's person, first neutral and then with a required expression.

        Args:
            frames: the frames in order, or the path of a clip, see `clip_file.clip_frames`. A few frames are in memory
                at once, and none is read after an acceptance.
            reference, expression, threshold: as in `authenticate`.
            min_frames: consecutive frames that must show either expression, see `Challenge`.
        Raises:
            As `authenticate`, except that frames may have no face. ProtocolError: also where the expression is the
            neutral one.
        """
        limit = self._limit(threshold)
        self._require_expressions(expression, NEUTRAL)
        if expression == NEUTRAL:
            others = ", ".join(name for name in self.expressions if name != NEUTRAL)
            raise ProtocolError(f"a clip must change from {NEUTRAL} to another expression: {others}. Name one of them.")
        (reference_face,) = self._faces_of(reference)
        challenge = Challenge(expression, neutral=NEUTRAL, min_frames=min_frames)
        distances = []
        for frame in self._analyzed_frames(_frames_of(frames)):
            if frame.chosen is not None:
                distances.append(distance_between(frame.chosen, reference_face, limit))
            if challenge.see(sight_of(frame, reference_face, limit)) == ChallengeState.ACCEPTED:
                break
        return clip_decided(challenge, distances, limit)

    def sight(self, frame: Photo, reference: Face, *, threshold: float | None = None) -> Sight:
        """What a frame shows, for a `Challenge` that takes frames one by one, as from a camera."""
        return sight_of(self.analyze(frame, faces="chosen"), reference, self._limit(threshold))

    def _analyze(self, photos: Sequence[Photo], faces: str) -> list[Analysis]:
        names = [str(photo) if isinstance(photo, str | Path) else f"photo {i}" for i, photo in enumerate(photos)]
        pixels = [photo_pixels(photo, name) for photo, name in zip(photos, names, strict=True)]
        detected = self._finder.find(pixels)
        selected = [[face for face in row if face.is_chosen or faces == "all"] for row in detected]
        predictions = iter(self._predict([face.crop for row in selected for face in row]))
        return [
            Analysis(
                photo=name,
                width_px=photo.shape[1],
                height_px=photo.shape[0],
                num_faces=len(row),
                faces=tuple(self._face(face, *next(predictions)) for face in chosen),
                source=source,
            )
            for name, source, photo, row, chosen in zip(names, photos, pixels, detected, selected, strict=True)
        ]

    def _predict(self, crops: list[np.ndarray]) -> list[tuple[np.ndarray, dict[str, dict[str, float]]]]:
        """Each crop's embedding, and its answers by task and class or column."""
        predictions = []
        for start in range(0, len(crops), _CROPS_AT_A_TIME):
            batch = torch.from_numpy(np.stack(crops[start : start + _CROPS_AT_A_TIME]))
            with torch.inference_mode():
                embeddings, *by_task = (values.cpu().numpy() for values in self._answers(batch.to(self.device)))
            for embedding, *rows in zip(embeddings, *by_task, strict=True):
                predictions.append((embedding, self._by_name(rows)))
        return predictions

    def _by_name(self, rows: list[np.ndarray]) -> dict[str, dict[str, float]]:
        return {
            task: dict(zip(self.card.classes(task), answers.tolist(), strict=True))
            for task, answers in zip(self._answers.tasks, rows, strict=True)
        }

    def _face(self, detected: FoundFace, embedding: np.ndarray, answers: dict[str, dict[str, float]]) -> Face:
        of_classes = {task for task, card in self.card.tasks.items() if card.kind == "classes"}
        return Face(
            box=tuple(detected.box.tolist()),
            landmarks=detected.landmarks,
            confidence=detected.confidence,
            is_chosen=detected.is_chosen,
            probabilities={task: of_task for task, of_task in answers.items() if task in of_classes},
            embedding=embedding,
            values={task: of_task for task, of_task in answers.items() if task not in of_classes},
        )

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
                "no threshold is known for this model: below which distance two faces are one person. Give --threshold "
                "(threshold= in Python) a number in (0, 4], or a file of thresholds of this model: the threshold.json "
                "of the pipeline's evaluation, or one that `dwmtl evaluate` wrote. `dwmtl export-model` copies a model "
                "with its threshold."
            )
        return self.threshold

    def _require_expressions(self, *names: str) -> None:
        if not self.expressions:
            raise ModelFileError("the model does not predict expressions (it has no such task). Use that of a fold.")
        for name in names:
            if name not in self.expressions:
                raise ProtocolError(f"the model does not predict {name}; it predicts {', '.join(self.expressions)}.")


def _frames_of(frames: Iterable[Photo] | Path | str) -> Iterable[Photo]:
    """The frames of a clip that is given as frames or as a path.

    Raises:
        UnreadablePhotoError: a single photo is given.
    """
    if isinstance(frames, str | Path):
        return clip_frames(Path(frames))
    if isinstance(frames, Image.Image | bytes) or (isinstance(frames, np.ndarray) and frames.ndim < 4):
        kind = type(frames).__name__
        raise UnreadablePhotoError(f"a clip is its frames in their order, or its file's path. Got one {kind} instead.")
    return frames


def _chosen_face(analysis: Analysis) -> Face:
    if analysis.chosen is None:
        raise NoFaceError(f"{analysis.photo}: no face found. Take a photo that shows one, larger or from the front.")
    return analysis.chosen
