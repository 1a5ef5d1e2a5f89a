"""The challenges that are under way, each with its person, its expression and its time. Knows no requests.

A challenge alone waits for ever (`dwmtl.inference.challenge`); here it is over when its time is.
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
"""Frames in a row that must show the neutral face, and then the expression: one alone may be a mistake."""


@dataclass
class TimedChallenge:
    """A challenge with the time at which it is over, by the clock of its `Challenges`.

    Attributes:
        turn: held while a frame is looked at, so that frames count one after the other.
    """

    reference: Face
    challenge: Challenge
    end_s: float
    clock: Callable[[], float]
    turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def seconds_left(self) -> float:
        """Never below 0."""
        return max(0.0, self.end_s - self.clock())

    @property
    def state(self) -> str:
        """A value of `ChallengeState`, or `over`: its time went by before it was accepted."""
        accepted = self.challenge.state == ChallengeState.ACCEPTED
        return self.challenge.state.value if accepted or self.seconds_left else "over"

    def see(self, look: Callable[[], Sight]) -> Sight | None:
        """Look at a frame and take it in, while there is time; what it shows, or None when there is none left."""
        with self.turn:
            if self.state == "over":
                return None
            sight = look()
            if self.seconds_left:  # looking takes time, too
                self.challenge.see(sight)
            return sight


class Challenges:
    """Those under way. May be used from several threads at once.

    Args:
        most: under way at a time.
        clock: seconds that only grow.
        draw: chooses one of several expressions; nobody must foresee it.
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

    def start(self, reference: Face, expressions: Sequence[str], *, limit_s: float) -> tuple[str, TimedChallenge]:
        """A new challenge and the name it is asked for by, which cannot be guessed.

        Raises:
            RequestError: too many are under way.
        """
        challenge = Challenge(self._draw(expressions), min_frames=MIN_FRAMES)
        started = TimedChallenge(reference, challenge, self._clock() + limit_s, self._clock)
        name = secrets.token_urlsafe(16)
        with self._turn:
            self._open = {key: value for key, value in self._open.items() if value.seconds_left}
            if len(self._open) >= self._most:
                raise RequestError("too many challenges are under way. Wait until their time is over.")
            self._open[name] = started
        return name, started

    def get(self, name: str, *, take: bool = False) -> TimedChallenge:
        """The challenge of a name; `take`: it cannot be asked for again.

        Raises:
            RequestError: there is none, or none any more.
        """
        with self._turn:
            found = self._open.pop(name, None) if take else self._open.get(name)
        if found is None:
            raise RequestError("this challenge is not known any more. Start another.")
        return found
