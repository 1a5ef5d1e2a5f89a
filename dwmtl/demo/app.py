"""The demo's requests: photos, a challenge and its frames or clip in, the model's answers out, as JSON. Draws nothing.

Uploads are discarded when they are answered; of a challenge's reference, its face with the embedding is kept.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from dwmtl.demo.challenges import MIN_FRAMES, Challenges, TimedChallenge
from dwmtl.demo.other_sites import OWN_PAGE_ALONE
from dwmtl.demo.uploads import MAX_PHOTO_PIXELS, clip_file, json_body, photo_of, save_clip
from dwmtl.errors import DwmtlError, ModelFileError, NoFaceError, RequestError, UnreadablePhotoError
from dwmtl.inference.answers import Analysis, ClipAnswer, Face
from dwmtl.inference.clip_file import clip_frames
from dwmtl.inference.model import NEUTRAL, FaceModel

PAGE = Path(__file__).with_name("page")
FILES = {"/": "index.html", "/demo.css": "demo.css", "/demo.js": "demo.js"}
DRAWN_EXPRESSIONS = ("happiness", "surprise")
"""A challenge requires one of these, drawn at random. Source: the authors' demo."""

CLIP_EVERY = 3
MAX_CLIP_FRAMES = 300
"""Frames of a clip that are analysed, each CLIP_EVERY-th: half a minute at 30 frames per second."""
AT_ONCE = 2
"""Requests that the model processes at a time; others wait."""
ANSWER_S = 60.0
"""Time for a request to wait for its turn and to be processed. What is being processed is not interrupted, except for a
clip between its frames, but bounded by the limits on uploads; the other turns answer meanwhile."""
SESSION = "dwmtl-session"
"""Cookie with a browser's secret: a challenge can be answered by the one that started it."""


class PhotosBody(BaseModel):
    """One photo, or two to be compared; files in base64."""

    model_config = ConfigDict(extra="forbid")
    photos: list[str] = Field(min_length=1, max_length=2)


class ChallengeBody(BaseModel):
    """A photo of the person that the challenge is for, and how it will be answered."""

    model_config = ConfigDict(extra="forbid")
    reference: str
    by: Literal["camera", "clip"]


class FrameBody(BaseModel):
    """A frame of the camera, as a picture file in base64."""

    model_config = ConfigDict(extra="forbid")
    frame: str


class Demo:
    """Handlers of the requests.

    Args:
        model: the model that answers.
        source: name of the model on the page.
        camera_s, clip_s: seconds for a challenge that is answered with the camera or with a clip.
    """

    def __init__(self, model: FaceModel, source: str, challenges: Challenges, *, camera_s: float, clip_s: float):
        self.model, self.source, self.challenges = model, source, challenges
        self._limits_s = {"camera": camera_s, "clip": clip_s}
        self._turns = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="demo")

    async def about(self, request: Request) -> dict:
        """The model's name, expressions and threshold."""
        limit = self.model.threshold
        return {
            "source": self.source,
            "expressions": self.model.expressions,
            "threshold": None if limit is None else limit.value,
            "threshold_source": None if limit is None else limit.source,
        }

    async def photos(self, request: Request) -> dict:
        """The faces of one or two photos; of two, also whether they show the same person."""
        body = await json_body(request, PhotosBody)
        return await self._in_turn(lambda: self._about_photos(body.photos))

    async def start(self, request: Request) -> dict:
        """Start a challenge for the person on the reference photo."""
        session = _session(request)
        if not session:
            raise RequestError("open the page first: a challenge belongs to its session, a cookie.")
        body = await json_body(request, ChallengeBody)
        name, started = await self._in_turn(lambda: self._started(body, session))
        return {"name": name, **_progress(started)}

    async def frame(self, request: Request) -> dict:
        """Add a frame to a challenge."""
        timed = self.challenges.get(request.path_params["name"], by="camera", session=_session(request))
        body = await json_body(request, FrameBody)
        sight = await self._in_turn(
            lambda: timed.see(lambda: self.model.sight(photo_of(body.frame, "the frame"), timed.reference))
        )
        return _progress(timed) | {"seen": _seen(sight)}

    async def clip(self, request: Request) -> dict:
        """Answer a challenge with a clip; it can be tried once."""
        timed = self.challenges.get(request.path_params["name"], by="clip", session=_session(request), take=True)
        with clip_file() as (file, path):
            await save_clip(request, file)
            if not timed.seconds_left:
                return _progress(timed)
            answer = await self._in_turn(lambda: self._clip_answer(path, timed))
        return {
            "state": "accepted" if answer.is_accepted else "over",
            **answer.as_json(),
            "sentence": _sentence(answer),
        }

    def _about_photos(self, texts: list[str]) -> dict:
        names = ("the first photo", "the second photo")
        pixels = [photo_of(text, name) for text, name in zip(texts, names, strict=False)]
        analyses = self.model.analyze(pixels)
        answer = {"analyses": [analysis.as_json(embeddings=False) for analysis in analyses], "verification": None}
        if len(analyses) < 2:
            return answer | {"sentence": None}
        try:
            compared = self.model.verify(*map(_chosen, analyses, names))
        except DwmtlError as error:
            return answer | {"sentence": f"They cannot be compared: {error}"}
        who = "The same person" if compared.is_same else "Not the same person"
        sign = "below" if compared.is_same else "not below"
        sentence = f"{who}: distance {compared.distance:.3f}, {sign} the threshold {compared.threshold.value:.3f}."
        return answer | {"verification": compared.as_json(), "sentence": sentence}

    def _started(self, body: ChallengeBody, session: str) -> tuple[str, TimedChallenge]:
        predicted = self.model.expressions
        expressions = [name for name in DRAWN_EXPRESSIONS if name in predicted]
        if not expressions or NEUTRAL not in predicted:
            raise ModelFileError(
                f"a challenge needs {NEUTRAL} and {' or '.join(DRAWN_EXPRESSIONS)}; the model predicts "
                f"{', '.join(predicted) or 'no expression'}."
            )
        reference = _chosen(self.model.analyze(photo_of(body.reference, "the reference")), "the reference")
        self.model.verify(reference, reference)  # raises where the model has no threshold
        limit_s = self._limits_s[body.by]
        return self.challenges.start(reference, expressions, by=body.by, session=session, limit_s=limit_s)

    def _clip_answer(self, path: Path, timed: TimedChallenge) -> ClipAnswer:
        frames = _few(clip_frames(path, every=CLIP_EVERY))
        required = timed.challenge.required
        try:
            return self.model.authenticate_clip(frames, timed.reference, required, min_frames=MIN_FRAMES)
        except UnreadablePhotoError as error:  # it names our copy, which the sender does not know
            raise RequestError(str(error).replace(str(path), "the clip")) from None

    async def _in_turn(self, work: Callable):
        """Run work in a thread when it is its turn; the page stays responsive.

        Raises:
            RequestError: there is no result after ANSWER_S. Work that has not begun is dropped; the rest keeps its turn
                until it ends.
        """
        try:
            future = asyncio.get_running_loop().run_in_executor(self._turns, work)
            return await asyncio.wait_for(future, ANSWER_S)
        except TimeoutError:
            message = f"no result after {ANSWER_S:g} s. Send something smaller, or try again later."
            raise RequestError(message, status=503) from None


def demo_app(
    model: FaceModel,
    *,
    source: str,
    challenges: Challenges | None = None,
    camera_s: float = 30.0,
    clip_s: float = 300.0,
) -> Starlette:
    """The page and its requests, as an ASGI application for 127.0.0.1. See `Demo`."""
    demo = Demo(model, source, challenges or Challenges(), camera_s=camera_s, clip_s=clip_s)
    requests = [
        Route("/api/model", _answered(demo.about)),
        Route("/api/photos", _answered(demo.photos), methods=["POST"]),
        Route("/api/challenges", _answered(demo.start), methods=["POST"]),
        Route("/api/challenges/{name}/frames", _answered(demo.frame), methods=["POST"]),
        Route("/api/challenges/{name}/clip", _answered(demo.clip), methods=["POST"]),
    ]
    files = [Route(path, _file(PAGE / name)) for path, name in FILES.items()]
    return Starlette(routes=[*files, *requests], middleware=OWN_PAGE_ALONE)


def _file(path: Path) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        response = FileResponse(path)
        if not _session(request):
            response.set_cookie(SESSION, secrets.token_urlsafe(16), httponly=True, samesite="strict")
        return response

    return respond


def _session(request: Request) -> str:
    """The browser's secret, from its cookie; empty: it has none."""
    return request.cookies.get(SESSION, "")


def _answered(ask: Callable[[Request], Awaitable[dict]]) -> Callable[[Request], Awaitable[Response]]:
    """A handler that responds with the answer as JSON, or with the message of an error in the input."""

    async def respond(request: Request) -> Response:
        try:
            return JSONResponse(await ask(request))
        except DwmtlError as error:
            return JSONResponse({"error": str(error)}, status_code=getattr(error, "status", 422))
        except ClientDisconnect:  # nobody reads the response
            return Response(status_code=400)

    return respond


def _chosen(analysis: Analysis, name: str) -> Face:
    if analysis.chosen is None:
        raise NoFaceError(f"no face was found in {name}.")
    return analysis.chosen


def _few(frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The frames, and an error where there are more than MAX_CLIP_FRAMES, one is too large, or time is over."""
    end_s = time.monotonic() + ANSWER_S
    for frame in islice(frames, MAX_CLIP_FRAMES):
        if frame.shape[0] * frame.shape[1] > MAX_PHOTO_PIXELS:
            raise RequestError(f"the clip: frames of more than {MAX_PHOTO_PIXELS} pixels. Scale it down.")
        if time.monotonic() > end_s:
            raise RequestError(f"the clip: no result after {ANSWER_S:g} s. Take a shorter or smaller one.")
        yield frame
    if next(frames, None) is not None:
        raise RequestError(
            f"the clip has more than {MAX_CLIP_FRAMES * CLIP_EVERY} frames without an acceptance. Take a shorter one."
        )


def _progress(timed: TimedChallenge) -> dict:
    """The state of a challenge, and what to do now."""
    required = timed.challenge.required
    sentences = {
        "neutral": "First show a neutral face.",
        "expression": f"Now show {required}.",
        "accepted": f"Accepted: the reference's person, neutral first and then {required}.",
        "over": "Not accepted: the time is over. Start another.",
    }
    return {
        "state": timed.state,
        "expression_required": required,
        "seconds_left": round(timed.seconds_left, 1),
        "sentence": sentences[timed.state],
    }


def _seen(sight) -> dict | None:
    return None if sight is None else {"is_same": sight.is_same, "expression": sight.expression}


def _sentence(answer: ClipAnswer) -> str:
    return f"{'Accepted' if answer.is_accepted else 'Not accepted'}: {answer.reason}."
