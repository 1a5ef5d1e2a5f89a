"""The challenge of an authentication: a neutral face, then the required expression, both of the same person. Pure.

A photograph of a smile fails, since it shows no neutral face; a film of another person fails, since a frame of another
person starts the challenge over. The challenge does not prove that a living person is present: a film of the right
person with the right expression passes. Therefore the expression should be drawn at random.

Source: the authors' demo (hengxyz/Dynamic_multi-task-learning), as challenge and response.
"""

from dataclasses import dataclass
from enum import StrEnum


class ChallengeState(StrEnum):
    """What a challenge is waiting for."""

    NEUTRAL = "neutral"
    EXPRESSION = "expression"
    ACCEPTED = "accepted"


@dataclass(frozen=True)
class Sight:
    """What a frame shows: whether its face is of the reference's person (None: no face), and the expression."""

    is_same: bool | None
    expression: str | None


class Challenge:
    """Takes frame after frame and tracks what it is waiting for. An acceptance is final.

    Frames without a face are ignored, unless more than `max_lost_frames` follow each other: then the person may have
    changed, and the challenge starts over, as it does after a frame of another person.

    Args:
        required: the expression to be shown.
        neutral: name of the neutral expression.
        min_frames: consecutive frames that must show either expression; frames without a face do not count.
        max_lost_frames: consecutive frames that may show no face.

    Attributes:
        state: what the challenge is waiting for.
        neutral_frame, expression_frame: the frames, from 0, at which either was shown; None before.
        num_frames: frames seen, up to the acceptance.
        num_restarts: how often it started over after the neutral face.
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
        """Process the next frame. Returns the new state."""
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
