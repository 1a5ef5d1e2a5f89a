"""The open challenges, each with its person, expression and time limit. Knows no requests.

`dwmtl.inference.challenge` has no time limit; here a challenge ends when its time is over.
"""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dwmtl.errors import RequestError
from dwmtl.inference.answers import Face
from dwmtl.inference.challenge import Challenge, ChallengeState, Sight

MIN_FRAMES = 2
"""Consecutive frames that must show the neutral face, and then the expression: a single one may be a mistake."""


@dataclass
class TimedChallenge:
    """A challenge with its end, on the clock of its `Challenges`.

    Attributes:
        by: `camera` or `clip`, with which it must be answered.
        session: secret of the browser that started it.
        turn: held while a frame is analysed, so that frames are counted in order.
    """

    reference: Face
    challenge: Challenge
    by: str
    session: str
    end_s: float
    clock: Callable[[], float]
    turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def seconds_left(self) -> float:
        """Never below 0."""
        return max(0.0, self.end_s - self.clock())

    @property
    def state(self) -> str:
        """A value of `ChallengeState`, or `over` where the time ended before an acceptance."""
        accepted = self.challenge.state == ChallengeState.ACCEPTED
        return self.challenge.state.value if accepted or self.seconds_left else "over"

    def see(self, look: Callable[[], Sight]) -> Sight | None:
        """Analyse a frame and pass it to the challenge. Returns what it shows, or None when the time is over."""
        with self.turn:
            if self.state == "over":
                return None
            sight = look()
            if self.seconds_left:  # the analysis takes time, too
                self.challenge.see(sight)
            return sight


class Challenges:
    """The open challenges. Thread-safe.

    Args:
        most: greatest number of open challenges.
        clock: monotonic, in seconds.
        draw: chooses one of several expressions, unpredictably.
    """

    def __init__(
        self,
        *,
        most: int = 16,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[Sequence[str]], str] = secrets.choice,
    ):
        self._most, self._clock, self._draw = most, clock, draw
        self._open: dict[str, TimedChallenge] = {}
        self._turn = threading.Lock()

    def start(
        self, reference: Face, expressions: Sequence[str], *, by: str, session: str, limit_s: float
    ) -> tuple[str, TimedChallenge]:
        """Start a challenge. Returns its name, which cannot be guessed, and the challenge.

        Raises:
            RequestError: too many challenges are open.
        """
        challenge = Challenge(self._draw(expressions), min_frames=MIN_FRAMES)
        started = TimedChallenge(reference, challenge, by, session, self._clock() + limit_s, self._clock)
        name = secrets.token_urlsafe(16)
        with self._turn:
            self._open = {key: value for key, value in self._open.items() if value.seconds_left}
            if len(self._open) >= self._most:
                raise RequestError("too many challenges are under way. Wait until their time is over.")
            self._open[name] = started
        return name, started

    def get(self, name: str, *, by: str, session: str, take: bool = False) -> TimedChallenge:
        """The challenge of a name, for an answer; `take`: remove it, since it can be answered once.

        Raises:
            RequestError: there is no such challenge, it was accepted, or it is to be answered otherwise or by another.
        """
        with self._turn:
            timed = self._open.get(name)
            is_right = timed is not None and timed.by == by and timed.session == session
            if timed is None or not is_right or timed.state == ChallengeState.ACCEPTED:
                raise RequestError("this challenge is not known any more. Start another.")
            if take:
                del self._open[name]
            return timed
