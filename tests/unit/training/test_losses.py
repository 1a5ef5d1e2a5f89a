import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dwmtl.training.losses import (
    NO_LABEL,
    CenterLoss,
    TaskLoss,
    class_weights,
    cross_entropy,
    mean_over_labelled,
)
from dwmtl.training.task_params import LossParams


def longhand_centers(centers, embeddings, identities, alpha):
    """Every sample moves its centre from where the centre was before the batch."""
    moved = centers.clone()
    for embedding, identity in zip(embeddings, identities.tolist(), strict=True):
        count = identities.tolist().count(identity)
        moved[identity] -= (1 - alpha) * (centers[identity] - embedding) / count
    return moved


@given(seed=st.integers(0, 100), alpha=st.floats(0, 1))
def test_centres_move_as_their_longhand_twin(seed, alpha):
    generator = torch.Generator().manual_seed(seed)
    loss = CenterLoss(4, 3, alpha=alpha)
    loss.centers.copy_(torch.randn(4, 3, generator=generator))
    embeddings = torch.randn(6, 3, generator=generator)
    identities = torch.randint(0, 4, (6,), generator=generator)
    expected = longhand_centers(loss.centers, embeddings, identities, alpha)
    loss.move_centers(embeddings, identities)
    torch.testing.assert_close(loss.centers, expected)


def test_a_centre_of_an_absent_identity_stays():
    loss = CenterLoss(2, 3, alpha=0.5)
    loss.move_centers(torch.ones(1, 3), torch.tensor([1]))
    assert loss.centers.tolist() == [[0, 0, 0], [0.5, 0.5, 0.5]]


def test_centre_loss_of_a_unit_embedding_is_a_half_at_first():
    assert CenterLoss(2, 3, alpha=0.5)(torch.tensor([[0.0, 1.0, 0.0]]), torch.tensor([1])).tolist() == [0.5]


def test_centres_are_no_parameters():
    assert not list(CenterLoss(2, 3, alpha=0.5).parameters())


def test_moving_no_sample_leaves_the_centres():
    loss = CenterLoss(2, 3, alpha=0.5)
    loss.move_centers(torch.ones(0, 3), torch.zeros(0, dtype=torch.int64))
    assert not loss.centers.any()


def test_the_mean_is_over_labelled_samples_only():
    labels = torch.tensor([1, NO_LABEL, 0])
    assert mean_over_labelled(torch.tensor([1.0, 100.0, 3.0]), labels).item() == 2


def test_the_mean_over_no_labelled_sample_is_zero_with_a_zero_gradient():
    losses = torch.tensor([math.nan, 2.0], requires_grad=True)
    mean = mean_over_labelled(losses, torch.tensor([NO_LABEL, NO_LABEL]))
    assert mean.item() == 0
    assert torch.autograd.grad(mean, losses)[0].tolist() == [0, 0]


def test_cross_entropy_of_equal_logits_is_the_logarithm_of_the_classes():
    losses = cross_entropy(torch.zeros(2, 7), torch.tensor([3, NO_LABEL]))
    assert losses.tolist() == [pytest.approx(math.log(7)), 0]


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_class_weights_weigh_each_sample_and_keep_the_losss_scale(power):
    counts, longhand = [6, 3, 1], []
    for count in counts:
        longhand.append((sum(counts) / count) ** power)
    mean = sum(count * weight for count, weight in zip(counts, longhand, strict=True)) / sum(counts)
    weights = class_weights(torch.tensor(counts), power=power, max_ratio=100.0)
    assert weights.tolist() == pytest.approx([weight / mean for weight in longhand])
    params = LossParams(class_weights="inverse" if power == 1 else "inverse_sqrt", label_smoothing=0.1)
    loss = TaskLoss(params, num_features=4, num_classes=3, class_counts=torch.tensor(counts))
    logits, labels = torch.randn(4, 3), torch.tensor([0, 2, NO_LABEL, 1])
    samples, _ = loss(torch.nn.Linear(4, 3), torch.zeros(4, 4), logits, labels)
    plain = cross_entropy(logits, labels, label_smoothing=0.1)
    expected = [plain[0] * weights[0], plain[1] * weights[2], torch.tensor(0.0), plain[3] * weights[1]]
    torch.testing.assert_close(samples, torch.stack(expected))
    assert not loss.state_dict()


def test_class_weights_are_capped_and_a_class_without_a_sample_has_the_greatest():
    weights = class_weights(torch.tensor([1000, 10, 0]), power=1.0, max_ratio=5.0)
    assert (weights[1:] / weights[0]).tolist() == pytest.approx([5, 5])
    assert (1000 * weights[0] + 10 * weights[1]).item() == pytest.approx(1010)
