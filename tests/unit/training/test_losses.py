import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dwmtl.training.losses import NO_LABEL, CenterLoss, cross_entropy, mean_over_labelled


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
