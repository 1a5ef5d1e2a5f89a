"""The challenge as a machine of its own: letters are frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwmtl.inference.challenge import Challenge, ChallengeState, Sight

SIGHTS = {
    "n": Sight(True, "neutral"),
    "h": Sight(True, "happiness"),
    "s": Sight(True, "surprise"),
    "N": Sight(False, "neutral"),
    "H": Sight(False, "happiness"),
    ".": Sight(None, None),
}


def after(frames: str, **settings: int) -> Challenge:
    challenge = Challenge("happiness", **settings)
    for letter in frames:
        challenge.see(SIGHTS[letter])
    return challenge


@pytest.mark.parametrize("frames", ["nh", "nnnh", "nsh", "snh", "n.....h", ".n.h", "hnh", "NHnh", "nHnh"])
def test_neutral_and_then_the_expression_is_accepted(frames):
    assert after(frames).state == ChallengeState.ACCEPTED


@pytest.mark.parametrize("frames", ["", "n", "h", "hhhh", "hn", "ns", "NH", "nH", "Nh", "nHh", "n......h", "."])
def test_anything_else_is_not(frames):
    assert after(frames).state != ChallengeState.ACCEPTED


def test_the_frames_that_showed_them_are_kept():
    challenge = after("snsh")
    assert (challenge.neutral_frame, challenge.expression_frame, challenge.num_frames) == (1, 3, 4)


def test_another_person_starts_it_over():
    challenge = after("NnH")
    assert (challenge.state, challenge.neutral_frame) == (ChallengeState.NEUTRAL, None)
    assert challenge.num_restarts == 1


def test_once_accepted_it_stays_so():
    challenge = after("nhNNN")
    assert challenge.state == ChallengeState.ACCEPTED
    assert challenge.num_frames == 2


def test_several_frames_in_a_row_may_be_asked_for():
    assert after("nnhh", min_frames=2).state == ChallengeState.ACCEPTED
    assert after("n.nh.h", min_frames=2).state == ChallengeState.ACCEPTED
    assert after("nsnhh", min_frames=2).state == ChallengeState.NEUTRAL
    assert after("nnhsh", min_frames=2).state == ChallengeState.EXPRESSION


def test_lost_frames_may_be_none():
    assert after("n.h", max_lost_frames=0).state == ChallengeState.NEUTRAL
    assert after("nh", max_lost_frames=0).state == ChallengeState.ACCEPTED


@given(st.text(alphabet="".join(SIGHTS), max_size=12))
def test_it_accepts_what_the_rule_says_read_backwards(frames):
    """Twin: some smile whose preceding frames, back to a neutral one, hold nobody else and no six frames of nobody."""

    def is_accepted(end: int) -> bool:
        before = frames[:end]
        start = before.rfind("n")
        between = before[start + 1 :]
        return start >= 0 and not set(between) & {"N", "H"} and "." * 6 not in between

    expected = any(frames[end] == "h" and is_accepted(end) for end in range(len(frames)))
    assert (after(frames).state == ChallengeState.ACCEPTED) == expected


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="required must differ from the neutral"):
        Challenge("neutral")
    with pytest.raises(ValueError, match="min_frames must be >= 1"):
        Challenge("happiness", min_frames=0)
