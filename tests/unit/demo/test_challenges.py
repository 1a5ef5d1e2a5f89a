"""Challenges against the clock, which here is a list."""

import threading

import numpy as np
import pytest

from dwmtl.demo.challenges import MIN_FRAMES, Challenges
from dwmtl.errors import RequestError
from dwmtl.inference.answers import Face
from dwmtl.inference.challenge import Sight

FACE = Face((0, 0, 1, 1), np.zeros((5, 2)), 1.0, True, {}, np.zeros(2))
NAMES = ["happiness", "surprise"]
NEUTRAL, HAPPY = Sight(True, "neutral"), Sight(True, "happiness")


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def challenges(clock) -> Challenges:
    return Challenges(most=2, clock=clock, draw=lambda names: names[0])


def start(challenges: Challenges, limit_s: float = 10.0):
    return challenges.start(FACE, NAMES, by="clip", session="mine", limit_s=limit_s)


def test_neutral_and_then_the_expression_in_time_is_accepted(challenges):
    _, timed = start(challenges)
    for sight in [NEUTRAL] * MIN_FRAMES + [HAPPY] * MIN_FRAMES:
        timed.see(lambda sight=sight: sight)
    assert timed.state == "accepted"


def test_one_frame_alone_is_not_enough(challenges):
    _, timed = start(challenges)
    timed.see(lambda: NEUTRAL)
    timed.see(lambda: HAPPY)
    assert timed.state == "neutral"


def test_after_its_time_a_challenge_is_over_and_no_frame_is_looked_at(challenges, clock):
    _, timed = start(challenges)
    clock.now_s = 10.0
    assert timed.see(lambda: pytest.fail("looked")) is None
    assert (timed.state, timed.seconds_left) == ("over", 0.0)


def test_a_frame_whose_look_outlasts_the_time_does_not_count(challenges, clock):
    _, timed = start(challenges)
    for sight in [NEUTRAL] * MIN_FRAMES + [HAPPY] * (MIN_FRAMES - 1):
        timed.see(lambda sight=sight: sight)

    def slow() -> Sight:
        clock.now_s = 11.0
        return HAPPY

    assert timed.see(slow) == HAPPY
    assert timed.state == "over"


def test_what_was_accepted_stays_so_when_its_time_is_over(challenges, clock):
    _, timed = start(challenges)
    for sight in [NEUTRAL] * MIN_FRAMES + [HAPPY] * MIN_FRAMES:
        timed.see(lambda sight=sight: sight)
    clock.now_s = 100.0
    assert timed.state == "accepted"


def test_only_so_many_are_under_way_and_old_ones_make_room(challenges, clock):
    name, _ = start(challenges)
    start(challenges)
    with pytest.raises(RequestError, match="too many challenges are under way"):
        start(challenges)
    clock.now_s = 10.0
    start(challenges)
    with pytest.raises(RequestError, match="not known any more"):
        challenges.get(name, by="clip", session="mine")


def test_a_challenge_that_was_taken_cannot_be_asked_for_again(challenges):
    name, timed = start(challenges)
    assert challenges.get(name, by="clip", session="mine") is timed
    assert challenges.get(name, by="clip", session="mine", take=True) is timed
    with pytest.raises(RequestError, match="Start another"):
        challenges.get(name, by="clip", session="mine", take=True)


def test_a_challenge_that_was_accepted_is_not_answered_again(challenges):
    name, timed = start(challenges)
    for sight in [NEUTRAL] * MIN_FRAMES + [HAPPY] * MIN_FRAMES:
        timed.see(lambda sight=sight: sight)
    with pytest.raises(RequestError, match="Start another"):
        challenges.get(name, by="clip", session="mine")


@pytest.mark.parametrize("wrong", [{"by": "camera"}, {"session": "another"}, {"session": ""}, {"name": "another"}])
def test_a_challenge_is_answered_as_it_was_started_and_by_the_same_session(challenges, wrong):
    name, timed = start(challenges)
    right = {"name": name, "by": "clip", "session": "mine"}
    with pytest.raises(RequestError, match="Start another"):
        challenges.get(**right | wrong, take=True)
    assert challenges.get(**right) is timed  # and it is still there


def test_every_drawn_expression_comes_up():
    drawn = {Challenges().start(FACE, NAMES, by="clip", session="", limit_s=1)[1].challenge.required for _ in range(64)}
    assert drawn == {"happiness", "surprise"}  # fails once in 2^63


def test_frames_of_many_threads_count_one_after_the_other(challenges):
    _, timed = start(challenges)
    threads = [threading.Thread(target=timed.see, args=(lambda: Sight(None, None),)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert timed.challenge.num_frames == 20
