"""Decisions from a model's answers: the same person, the required expression. Pure; opens no file."""

from collections.abc import Sequence

import numpy as np

from dwmtl.inference.answers import Analysis, AuthenticationAnswer, ClipAnswer, Face, VerificationAnswer
from dwmtl.inference.challenge import Challenge, ChallengeState, Sight
from dwmtl.scores.distances import pair_distances
from dwmtl.scores.threshold import Threshold


def distance_between(face: Face, reference: Face, limit: Threshold) -> float:
    """Distance of the kind of the threshold; lower is closer."""
    a, b = (np.asarray(side.embedding, dtype=np.float64)[None] for side in (face, reference))
    return float(pair_distances(a, b, distance=limit.distance)[0])


def verified(face: Face, reference: Face, limit: Threshold) -> VerificationAnswer:
    """Whether two faces are of the same person."""
    distance = distance_between(face, reference, limit)
    return VerificationAnswer(distance < limit.value, distance, limit, face, reference)


def authenticated(face: Face, reference: Face, expression: str, limit: Threshold) -> AuthenticationAnswer:
    """Whether a face is of the reference's person and its most probable expression is the required one."""
    verification = verified(face, reference, limit)
    shows = face.expression == expression
    return AuthenticationAnswer(
        is_accepted=verification.is_same and shows,
        shows_expression=shows,
        expression_required=expression,
        probability=face.probabilities["expression"][expression],
        verification=verification,
    )


def sight_of(frame: Analysis, reference: Face, limit: Threshold) -> Sight:
    """What a frame shows, for a `Challenge`."""
    if frame.chosen is None:
        return Sight(is_same=None, expression=None)
    return Sight(verified(frame.chosen, reference, limit).is_same, frame.chosen.expression)


def clip_decided(challenge: Challenge, distances: Sequence[float], limit: Threshold) -> ClipAnswer:
    """The outcome of a challenge after a clip's frames.

    Args:
        distances: distances to the reference, of the frames with a face.
    """
    return ClipAnswer(
        is_accepted=challenge.state == ChallengeState.ACCEPTED,
        reason=_reason(challenge, distances, limit),
        expression_required=challenge.required,
        neutral_frame=challenge.neutral_frame,
        expression_frame=challenge.expression_frame,
        num_frames=challenge.num_frames,
        num_frames_with_face=len(distances),
        smallest_distance=min(distances, default=None),
        threshold=limit,
    )


def _reason(challenge: Challenge, distances: Sequence[float], limit: Threshold) -> str:
    if challenge.state == ChallengeState.ACCEPTED:
        return f"neutral at frame {challenge.neutral_frame}, {challenge.required} at frame {challenge.expression_frame}"
    if not challenge.num_frames:
        return "the clip has no frames"
    if not distances:
        return "no face in any frame"
    if min(distances) >= limit.value:
        return "no frame shows the reference's person"
    if challenge.state == ChallengeState.EXPRESSION:
        return f"neutral at frame {challenge.neutral_frame}, and no {challenge.required} after it"
    if challenge.num_restarts:
        return f"after the neutral face somebody else was seen, or nobody, and no {challenge.required} from a new start"
    return "no neutral face of the reference's person"
