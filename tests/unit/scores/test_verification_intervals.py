import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl.scores.bootstrap import subject_bootstrap
from dwmtl.scores.verification_intervals import (
    JudgedPairs,
    VerificationIntervals,
    no_intervals,
    verification_intervals,
)

textbook = runpy.run_path(str(Path(__file__).with_name("textbook.py")))
THRESHOLDS = np.arange(0, 4, 0.25)
TARGETS = (0.1, 0.4)
NUM_RESAMPLES = 40


def judged(seed: int, num_pairs: int = 40, num_people: int = 7, num_networks: int = 1) -> JudgedPairs:
    """Pairs of which the genuine are closer, some of them on a threshold."""
    rng = np.random.default_rng(seed)
    subjects = rng.integers(num_people, size=num_pairs)
    partners = np.where(rng.random(num_pairs) < 0.5, subjects, rng.integers(num_people, size=num_pairs))
    is_same = subjects == partners
    distances = np.round(rng.uniform(0, 4, size=num_pairs) * np.where(is_same, 0.6, 1.0), 1)
    return JudgedPairs(
        distances=distances,
        is_same=is_same,
        accepted=distances < 1.5,
        val_accepted=np.stack([distances < 0.7, distances < 1.2]),
        subjects=subjects,
        partners=partners,
        networks=rng.integers(num_networks, size=num_pairs),
    )


def intervals(pairs: JudgedPairs) -> VerificationIntervals:
    return verification_intervals(
        pairs, thresholds=THRESHOLDS, far_targets=TARGETS, seed=0, num_resamples=NUM_RESAMPLES
    )


def drawn_pairs(pairs: JudgedPairs, people: list[int]) -> list[int]:
    """Pairs as often as both people were drawn, and as the one was if they are the same."""
    taken = []
    for i, (a, b) in enumerate(zip(pairs.subjects, pairs.partners, strict=True)):
        times = people.count(a) if a == b else people.count(a) * people.count(b)
        taken += [i] * times
    return taken


def roc_scores(pairs: JudgedPairs, taken: list[int]) -> list[float] | None:
    """AUC, EER and a TAR a target, means over the networks that have pairs of both kinds."""
    found = []
    for network in sorted(set(pairs.networks.tolist())):
        own = [i for i in taken if pairs.networks[i] == network]
        kinds = [[pairs.distances[i] for i in own if pairs.is_same[i] == same] for same in (False, True)]
        if not all(kinds):
            continue
        far, tar = ([0.0, *(sum(d < t for d in kind) / len(kind) for t in THRESHOLDS), 1.0] for kind in kinds)
        auc = sum((far[i + 1] - far[i]) * (tar[i + 1] + tar[i]) / 2 for i in range(len(far) - 1))
        tars = [textbook["_last_point_within"](far, tar, target)["tar"] for target in TARGETS]
        found.append([auc, textbook["_equal_error_rate"](far, tar), *tars])
    return np.mean(found, axis=0).tolist() if found else None


def shares(pairs: JudgedPairs, taken: list[int]) -> list[float] | None:
    """Accuracy, and VAL a target."""
    genuine = [i for i in taken if pairs.is_same[i]]
    if not taken or not genuine:
        return None
    right = sum(pairs.accepted[i] == pairs.is_same[i] for i in taken) / len(taken)
    return [right, *(sum(row[i] for i in genuine) / len(genuine) for row in pairs.val_accepted)]


def assert_equals_textbook(pairs: JudgedPairs) -> None:
    people = sorted({*pairs.subjects.tolist(), *pairs.partners.tolist()})
    rng = np.random.default_rng(0)
    draws = [[people[i] for i in rng.integers(len(people), size=len(people))] for _ in range(NUM_RESAMPLES)]
    taken = [drawn_pairs(pairs, draw) for draw in draws]
    columns = []
    for scores in (shares, roc_scores):
        rows = [row for row in (scores(pairs, some) for some in taken) if row is not None]
        columns += [np.quantile(column, [0.025, 0.975]).tolist() for column in zip(*rows, strict=True)]
    accuracy, val_low, val_high, auc, eer, tar_low, tar_high = columns
    found = intervals(pairs)
    assert found.accuracy == pytest.approx(tuple(accuracy))
    assert [found.auc, found.eer] == [pytest.approx(tuple(auc)), pytest.approx(tuple(eer))]
    assert list(found.val_at_far.values()) == [pytest.approx(tuple(val_low)), pytest.approx(tuple(val_high))]
    assert list(found.tar_at_far.values()) == [pytest.approx(tuple(tar_low)), pytest.approx(tuple(tar_high))]


@pytest.mark.parametrize("num_networks", [1, 3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_interval_equals_the_textbook(seed, num_networks):
    assert_equals_textbook(judged(seed, num_networks=num_networks))


def test_all_equal_distances_equal_the_textbook():
    pairs = judged(3)
    same = np.full(len(pairs.distances), 1.5)  # on a threshold: equal is not below
    nothing = np.zeros_like(pairs.val_accepted)
    assert_equals_textbook(replace(pairs, distances=same, accepted=nothing[0], val_accepted=nothing))


def test_a_network_without_impostor_pairs_in_a_resample_does_not_count_there():
    """Two people and two networks, of which one has an impostor pair."""
    rows = np.array([0, 1, 0, 0, 1])
    pairs = judged(4, num_pairs=5)
    partners = np.array([0, 1, 1, 0, 1])
    networks = np.array([0, 0, 0, 1, 1])
    assert_equals_textbook(
        replace(pairs, subjects=rows, partners=partners, is_same=rows == partners, networks=networks)
    )


def test_the_accuracys_interval_is_the_subject_bootstraps():
    pairs = judged(5)
    right = pairs.accepted == pairs.is_same
    expected = subject_bootstrap(right, pairs.subjects, pairs.partners, seed=0, num_resamples=NUM_RESAMPLES)
    assert intervals(pairs).accuracy == (expected.low, expected.high)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99))
def test_the_order_of_pairs_and_of_their_sides_does_not_matter(seed):
    pairs = judged(6)
    order = np.random.default_rng(seed).permutation(len(pairs.distances))
    shuffled = {name: values[..., order] for name, values in vars(pairs).items()}
    turned = {"subjects": shuffled["partners"], "partners": shuffled["subjects"]}
    assert intervals(JudgedPairs(**{**shuffled, **turned})) == intervals(pairs)


def test_a_perfect_network_has_intervals_without_width():
    pairs = judged(7)
    distances = np.where(pairs.is_same, 0.1, 3.0)
    accepted = pairs.is_same
    perfect = replace(pairs, distances=distances, accepted=accepted, val_accepted=np.stack([accepted, accepted]))
    one = (1.0, 1.0)
    at_targets = dict.fromkeys(TARGETS, one)
    assert intervals(perfect) == VerificationIntervals(one, one, (0.0, 0.0), at_targets, at_targets)


def test_one_person_has_no_interval():
    pairs = judged(8)
    nobody = np.zeros(len(pairs.distances), int)
    found = intervals(replace(pairs, subjects=nobody, partners=nobody))
    assert found == no_intervals(TARGETS) == VerificationIntervals(None, None, None, *[dict.fromkeys(TARGETS)] * 2)


def test_pairs_of_one_kind_have_no_roc():
    pairs = judged(9)
    found = intervals(replace(pairs, is_same=np.ones(len(pairs.distances), bool)))
    assert (found.auc, found.eer, found.tar_at_far) == (None, None, dict.fromkeys(TARGETS))
    assert found.accuracy is not None
