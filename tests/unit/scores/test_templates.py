import numpy as np
import pytest

from dwmtl.errors import ProtocolError
from dwmtl.scores.templates import TemplateSums, score_templates


def textbook(templates, media, weights, embeddings):
    """Mean of each medium, sum over the media, unit length: every template and medium looked through."""
    rows = []
    for template in range(max(templates) + 1):
        total = np.zeros(embeddings.shape[1])
        for medium in set(media):
            faces = [i for i in range(len(media)) if templates[i] == template and media[i] == medium]
            if faces:
                total += sum(weights[i] * embeddings[i] for i in faces) / len(faces)
        rows.append(total / np.sqrt((total**2).sum()))
    return np.array(rows)


def drawn(seed):
    rng = np.random.default_rng(seed)
    media = np.r_[np.arange(12), rng.integers(0, 12, 30)]
    return media // 3, media, rng.uniform(0, 1, 42), rng.normal(size=(42, 5))


@pytest.mark.parametrize("seed", range(3))
def test_templates_are_those_of_a_plain_loop_in_any_order_of_the_faces(seed):
    templates, media, weights, embeddings = drawn(seed)
    sums = TemplateSums(templates, media, weights)
    for part in np.array_split(np.random.default_rng(seed).permutation(42), 4):
        sums.add(part, embeddings[part])
    expected = textbook(templates, media, weights, embeddings)
    np.testing.assert_allclose(sums.unit_length(range(4)), expected, atol=1e-12)


def test_a_video_of_many_frames_counts_as_one_photo():
    templates, media = np.zeros(101, int), np.r_[np.zeros(100, int), 1]
    sums = TemplateSums(templates, media, np.ones(101))
    sums.add(np.arange(101), np.r_[np.tile([1.0, 0.0], (100, 1)), [[0.0, 1.0]]])
    np.testing.assert_allclose(sums.unit_length([5]), [[0.5**0.5, 0.5**0.5]])


@pytest.mark.parametrize("embeddings", [[[1.0], [-1.0]], [[np.nan], [1.0]], [[0.0], [0.0]]])
def test_a_template_without_direction_is_refused(embeddings):
    sums = TemplateSums(np.array([0, 0]), np.array([0, 1]), np.ones(2))
    sums.add(np.arange(2), np.array(embeddings))
    with pytest.raises(ProtocolError, match="template 81 add up to no direction"):
        sums.unit_length([81])


def test_a_rate_that_the_impostor_pairs_cannot_measure_has_no_tar():
    angles = np.deg2rad([0, 1, 90, 180])
    templates = np.column_stack([np.cos(angles), np.sin(angles)])
    rows_a, rows_b = np.repeat(0, 61), np.r_[1, np.tile([2, 3], 30)]
    scores = score_templates(
        templates, rows_a, rows_b, rows_b == 1, num_faces=9, far_targets=[0.01, 0.1, 0.9], settings={}
    )
    none, rough, fine = scores.tar_at_far
    assert (none.tar, none.num_impostors, none.num_impostors_needed, none.is_rough) == (None, 0, 100, False)
    assert (rough.tar, rough.num_impostors, rough.is_rough) == (1.0, 6, True)
    assert (fine.num_impostors, fine.is_rough) == (54, False)
