import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwmtl.errors import ProtocolError
from dwmtl.scores import bootstrap
from dwmtl.scores.bootstrap import subject_bootstrap


def textbook(values, subjects, partners, seed, num_resamples):
    """The resamples' scores in plain loops: each draws people, then takes a photo or pair as often as they came."""
    people = sorted({*subjects, *partners})
    rng = np.random.default_rng(seed)
    scores = []
    for _ in range(num_resamples):
        drawn = [people[i] for i in rng.integers(len(people), size=len(people))]
        taken = []
        for value, a, b in zip(values, subjects, partners, strict=True):
            for first in drawn:
                if first == a and a == b:
                    taken.append(value)
                elif first == a:
                    taken.extend(value for second in drawn if second == b)
        if taken:
            scores.append(sum(taken) / len(taken))
    return scores


def assert_equals_textbook(values, subjects, partners, seed=0):
    scores = textbook(values, subjects, subjects if partners is None else partners, seed, 60)
    interval = subject_bootstrap(
        np.array(values),
        np.array(subjects),
        None if partners is None else np.array(partners),
        seed=seed,
        num_resamples=60,
    )
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(scores, [0.025, 0.975])))
    assert interval.num_resamples == len(scores)
    assert interval.num_subjects == len({*subjects, *(partners or [])})


@settings(max_examples=20, deadline=None)
@given(
    rows=st.lists(st.tuples(st.booleans(), st.sampled_from("abcdef")), min_size=2, max_size=30),
    seed=st.integers(0, 99),
)
def test_photos_equal_the_textbook(rows, seed):
    values, subjects = zip((True, "a"), (False, "b"), *rows, strict=True)
    assert_equals_textbook(values, subjects, None, seed)


@settings(max_examples=20, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.floats(-1, 1), st.sampled_from("abcdef"), st.sampled_from("abcdef")), min_size=2, max_size=30
    ),
    seed=st.integers(0, 99),
)
def test_pairs_equal_the_textbook(rows, seed):
    values, subjects, partners = zip((1.0, "a", "a"), (0.0, "b", "b"), *rows, strict=True)
    assert_equals_textbook(values, subjects, partners, seed)


def test_resamples_taken_in_parts_equal_the_textbook(monkeypatch):
    monkeypatch.setattr(bootstrap, "_CELLS", 8)
    assert_equals_textbook([1, 0, 1, 1, 0], list("abcab"), list("abcba"))


def test_everything_right_gives_one_and_everything_wrong_zero():
    subjects = np.array(["a", "b", "b", "c"])
    for value in (1, 0):
        interval = subject_bootstrap(np.full(4, value), subjects, seed=0)
        assert (interval.low, interval.high) == (value, value)


def test_one_photo_a_subject_is_the_ordinary_bootstrap():
    """The mean of 400 coins: its interval is the binomial's, nearly."""
    values = np.arange(400) % 2
    interval = subject_bootstrap(values, np.arange(400), seed=0, num_resamples=4000)
    half = 1.96 * np.sqrt(0.25 / 400)
    assert (interval.low, interval.high) == pytest.approx((0.5 - half, 0.5 + half), abs=0.005)


def test_photos_of_a_subject_that_go_together_widen_the_interval():
    subjects = np.repeat(np.arange(40), 10)
    together, apart = np.repeat(np.arange(40) % 2, 10), np.arange(400) % 2
    wide, narrow = (subject_bootstrap(values, subjects, seed=0) for values in (together, apart))
    assert wide.high - wide.low > 0.25
    assert narrow.high == narrow.low == 0.5


@given(seed=st.integers(0, 99))
def test_the_order_of_pairs_and_of_their_sides_does_not_matter(seed):
    rng = np.random.default_rng(7)
    values, a, b = rng.integers(2, size=50), rng.integers(9, size=50), rng.integers(9, size=50)
    order = np.random.default_rng(seed).permutation(50)
    interval = subject_bootstrap(values, a, b, seed=3, num_resamples=50)
    assert subject_bootstrap(values[order], a[order], b[order], seed=3, num_resamples=50) == interval
    assert subject_bootstrap(values, b, a, seed=3, num_resamples=50) == interval


def test_the_seed_gives_the_interval_and_another_seed_another():
    rng = np.random.default_rng(0)
    values, subjects = rng.integers(2, size=60), rng.integers(12, size=60)
    assert subject_bootstrap(values, subjects, seed=1) == subject_bootstrap(values, subjects, seed=1)
    assert subject_bootstrap(values, subjects, seed=1) != subject_bootstrap(values, subjects, seed=2)


def test_a_higher_level_is_a_wider_interval():
    rng = np.random.default_rng(0)
    values, subjects = rng.integers(2, size=60), rng.integers(12, size=60)
    narrow, wide = (subject_bootstrap(values, subjects, seed=1, level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < values.mean() < narrow.high < wide.high


def covered_photos(rng: np.random.Generator) -> bool:
    """Subjects of differing skill, mean 0.7, and of one to six photos."""
    skill, counts = rng.beta(3.5, 1.5, size=50), rng.integers(1, 7, size=50)
    subjects = np.repeat(np.arange(50), counts)
    interval = subject_bootstrap(rng.random(len(subjects)) < skill[subjects], subjects, seed=0, num_resamples=300)
    return interval.low <= 0.7 <= interval.high


def covered_pairs(rng: np.random.Generator) -> bool:
    """Pairs of people who are each easy or hard; a pair's chance is the mean of two skills, 0.7 on average."""
    skill, a = rng.beta(3.5, 1.5, size=60), rng.integers(60, size=600)
    b = np.where(rng.random(600) < 0.5, a, rng.integers(60, size=600))
    interval = subject_bootstrap(rng.random(600) < (skill[a] + skill[b]) / 2, a, b, seed=0, num_resamples=300)
    return interval.low <= 0.7 <= interval.high


@pytest.mark.parametrize("covered", [covered_photos, covered_pairs])
def test_about_95_of_100_intervals_hold_the_truth(covered):
    rng = np.random.default_rng(0)
    assert 0.9 <= np.mean([covered(rng) for _ in range(300)]) <= 0.99


def test_resamples_without_a_pair_are_left_out_and_counted():
    interval = subject_bootstrap(np.array([1]), np.array(["a"]), np.array(["b"]), seed=0)
    assert (interval.low, interval.high) == (1, 1)
    assert 400 < interval.num_resamples < 600  # both are drawn in half of them


def test_no_resample_with_a_pair_is_told():
    seed = next(s for s in range(99) if len(set(np.random.default_rng(s).integers(2, size=2).tolist())) == 1)
    with pytest.raises(ProtocolError, match="no resample of 2 subjects holds a pair"):
        subject_bootstrap(np.array([1]), np.array(["a"]), np.array(["b"]), seed=seed, num_resamples=1)


def test_one_subject_has_no_interval():
    with pytest.raises(ProtocolError, match=r"at least 2 of them\. Got 1"):
        subject_bootstrap(np.array([1, 0]), np.array(["a", "a"]), seed=0)


def test_nothing_has_no_interval():
    with pytest.raises(ProtocolError, match=r"at least 2 of them\. Got 0"):
        subject_bootstrap(np.array([]), np.array([]), seed=0)


def test_columns_of_different_lengths_are_our_bug():
    with pytest.raises(ValueError, match="alike"):
        subject_bootstrap(np.ones(3), np.arange(4), seed=0)
