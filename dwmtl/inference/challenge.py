"""The challenge of an authentication: a neutral face first, then the required expression, all by one person. Pure.

A photograph of a smile fails it, as it shows no neutral face; a film of somebody else fails it, as no frame of another
person counts and one starts it over. It is no proof that a living person is there: a film of the right person showing
the right expression passes, which is why the expression is to be drawn at random.

Source: the authors' demo (hengxyz/Dynamic_multi-task-learning), as challenge and response.
"""

from dataclasses import dataclass
from enum import StrEnum


class ChallengeState(StrEnum):
    """What a challenge waits for."""

    NEUTRAL = "neutral"
    EXPRESSION = "expression"
    ACCEPTED = "accepted"


@dataclass(frozen=True)
class Sight:
    """What a frame shows: whether its face is the reference's (None: no face was found), and the expression."""

    is_same: bool | None
    expression: str | None


class Challenge:
    """Fed frame by frame, it says what it waits for; once accepted it stays so.

    Frames without a face are passed over, unless more than `max_lost_frames` come in a row: then another face may have
    been put before the camera, and the challenge starts over, as it does with a frame of another person.

    Args:
        required: the expression to be shown.
        neutral: the name of the neutral one.
        min_frames: frames in a row, those without a face not counted, that must show either one.
        max_lost_frames: frames in a row that may show no face.

    Attributes:
        state: what is waited for.
        neutral_frame, expression_frame: the frames, from 0, at which either was shown; None before.
        num_frames: frames seen, up to the acceptance.
        num_restarts: times that it lost a neutral face already shown.
    """

    def __init__(self, required: str, *, neutral: str = "neutral", min_frames: int = 1, max_lost_frames: int = 5):
        if required == neutral:
            raise ValueError(f"required must differ from the neutral expression. Got {required} instead.")
        if min_frames < 1 or max_lost_frames < 0:
            raise ValueError(f"min_frames must be >= 1, max_lost_frames >= 0. Got {min_frames}, {max_lost_frames}.")
        self.required, self.neutral = required, neutral
        self.state = ChallengeState.NEUTRAL
        self.neutral_frame: int | None = None
        self.expression_frame: int | None = None
        self.num_frames = self.num_restarts = 0
        self._min_frames, self._max_lost_frames = min_frames, max_lost_frames
        self._num_shown = self._num_lost = 0

    def see(self, sight: Sight) -> ChallengeState:
        """Take in the next frame; what is waited for then."""
        if self.state == ChallengeState.ACCEPTED:
            return self.state
        frame = self.num_frames
        self.num_frames += 1
        if sight.is_same:
            self._see_face(sight.expression, frame)
        elif sight.is_same is not None or self._num_lost == self._max_lost_frames:
            self._start_over()
        else:
            self._num_lost += 1
        return self.state

    def _see_face(self, expression: str | None, frame: int) -> None:
        self._num_lost = 0
        awaited = self.neutral if self.state == ChallengeState.NEUTRAL else self.required
        self._num_shown = self._num_shown + 1 if expression == awaited else 0
        if self._num_shown < self._min_frames:
            return
        self._num_shown = 0
        if self.state == ChallengeState.NEUTRAL:
            self.state, self.neutral_frame = ChallengeState.EXPRESSION, frame
        else:
            self.state, self.expression_frame = ChallengeState.ACCEPTED, frame

    def _start_over(self) -> None:
        self.num_restarts += self.state == ChallengeState.EXPRESSION
        self.state, self.neutral_frame = ChallengeState.NEUTRAL, None
        self._num_shown = self._num_lost = 0
