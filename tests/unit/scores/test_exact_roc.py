import numpy as np
import pytest

from dwmtl.scores.exact_roc import exact_roc

FARS = [1e-6, 1e-3, 0.01, 0.05, 0.1, 0.3, 0.5, 0.999]


def textbook(distances, is_same, far_target):
    """TAR at the largest threshold within the target: every threshold tried, every pair counted."""
    pairs = list(zip(distances, is_same, strict=True))
    num_genuine, num_impostor = sum(same for _, same in pairs), sum(not same for _, same in pairs)
    tar = None
    for threshold in [*sorted(distances), float("inf")]:
        accepted = [same for distance, same in pairs if distance < threshold]
        if sum(not same for same in accepted) / num_impostor <= far_target:
            tar = sum(accepted) / num_genuine
    return tar


def drawn(num_pairs: int, seed: int, decimals: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    is_same = np.arange(num_pairs) % 3 == 0
    return (rng.normal(np.where(is_same, 0.8, 1.4), 0.4)).round(decimals), is_same


@pytest.mark.parametrize("decimals", [6, 1])  # with one decimal many distances are equal
@pytest.mark.parametrize("seed", range(3))
def test_tar_is_that_of_every_threshold_tried(seed, decimals):
    distances, is_same = drawn(200, seed, decimals)
    for far, tar in zip(FARS, exact_roc(distances, is_same).tar_within(np.array(FARS)), strict=True):
        if far < 1 / (~is_same).sum():
            assert np.isnan(tar)
        else:
            assert tar == pytest.approx(textbook(distances, is_same, far))


def test_tar_of_separated_pairs_is_one_and_of_swapped_ones_zero():
    distances, is_same = np.repeat([0.1, 2.0], 50), np.repeat([True, False], 50)
    assert exact_roc(distances, is_same).tar_within(np.array([0.02, 0.5])).tolist() == [1, 1]
    assert exact_roc(distances, ~is_same).tar_within(np.array([0.02, 0.5])).tolist() == [0, 0]


def test_a_rate_of_one_in_a_million_needs_a_million_impostors():
    rng = np.random.default_rng(0)
    impostor = rng.uniform(1, 4, 1_000_000)
    impostor[7] = 0.5
    roc = exact_roc(np.concatenate([[0.2, 0.4, 0.6, 3.9], impostor]), np.arange(1_000_004) < 4)
    assert roc.num_allowed(np.array([1e-6, 1e-5, 1e-3])).tolist() == [1, 10, 1000]
    assert roc.tar_within(np.array([1e-6]))[0] == 0.75  # one impostor, the closest, is accepted
    fewer = exact_roc(np.concatenate([[0.2], impostor[:-1]]), np.arange(1_000_000) < 1)
    assert np.isnan(fewer.tar_within(np.array([1e-6]))[0])


def test_tar_does_not_depend_on_the_order_or_the_scale_of_the_distances():
    distances, is_same = drawn(300, 5, 6)
    order = np.random.default_rng(1).permutation(300)
    fars = np.array(FARS[2:])
    expected = exact_roc(distances, is_same).tar_within(fars)
    np.testing.assert_array_equal(exact_roc(distances[order], is_same[order]).tar_within(fars), expected)
    np.testing.assert_array_equal(exact_roc(3 * distances, is_same).tar_within(fars), expected)
    assert (np.diff(expected) >= 0).all()
