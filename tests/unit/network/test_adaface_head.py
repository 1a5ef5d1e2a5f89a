import math

import pytest
import torch

from dwmtl.network.adaface_head import AdaFaceHead
from dwmtl.network.heads import make_head
from dwmtl.network.params import AdaFaceHeadParams
from dwmtl.training.losses import NO_LABEL, TaskLoss
from dwmtl.training.task_params import LossParams

PARAMS = AdaFaceHeadParams(margin=0.4, concentration=0.333, scale=16.0, length_momentum=0.9)


def head_of(num_features: int = 4, num_classes: int = 3, params: AdaFaceHeadParams = PARAMS) -> AdaFaceHead:
    torch.manual_seed(0)
    head = make_head(params, num_features, num_classes)
    head.length_mean.fill_(2.0)
    head.length_std.fill_(0.5)
    return head


def textbook(vector: list[float], label: int, weights: list[list[float]], mean: float, std: float) -> float:
    """The loss of one sample, number by number; the clamps of the cosine are far away in these tests."""
    length = math.sqrt(sum(x * x for x in vector))
    quality = max(-1.0, min(1.0, 0.333 * (min(max(length, 0.001), 100.0) - mean) / (std + 0.001)))
    logits = []
    for number, weight in enumerate(weights):
        norm = math.sqrt(sum(x * x for x in weight))
        cosine = sum(a * b for a, b in zip(vector, weight, strict=True)) / length / norm
        if number == label:
            cosine = math.cos(math.acos(cosine) - 0.4 * quality) - (0.4 * quality + 0.4)
        logits.append(16.0 * cosine)
    return math.log(sum(math.exp(logit) for logit in logits)) - logits[label]


def test_the_loss_equals_its_longhand_twin_for_short_and_long_vectors():
    head = head_of()
    vectors, labels = torch.randn(9, 4), torch.arange(9) % 3
    vectors *= torch.linspace(0.2, 4.0, 9)[:, None] / vectors.norm(dim=1, keepdim=True)
    expected = [
        textbook(vector, label, head.weight.tolist(), 2.0, 0.5)
        for vector, label in zip(vectors.tolist(), labels.tolist(), strict=True)
    ]
    torch.testing.assert_close(head.sample_losses(vectors, labels), torch.tensor(expected), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("length", "angular", "additive"), [(0.1, 0.4, 0.0), (2.0, 0.0, 0.4), (90.0, -0.4, 0.8)])
def test_poor_crops_have_arcfaces_margin_usual_ones_cosfaces_and_good_ones_twice_that(length, angular, additive):
    head = head_of()
    head.length_std.fill_(0.3)  # so that 0.1 is poor: 0.333 (0.1 - 2) / 0.301 < -1
    vector = torch.tensor([[0.6, 0.8, 0.0, 0.0]]) * length
    cosines = head(vector)[0] / 16.0
    logits = 16.0 * cosines.clone()
    logits[1] = 16.0 * (torch.cos(torch.arccos(cosines[1]) + angular) - additive)
    expected = logits.logsumexp(0) - logits[1]
    torch.testing.assert_close(head.sample_losses(vector, torch.tensor([1]))[0], expected, rtol=1e-4, atol=1e-4)


def test_logits_have_no_margin():
    head, vectors = head_of(), torch.randn(5, 4)
    weights = head.weight / head.weight.norm(dim=1, keepdim=True)
    torch.testing.assert_close(head(vectors), 16.0 * vectors @ weights.T / vectors.norm(dim=1, keepdim=True))


def test_the_margin_passes_no_gradient_to_the_length():
    """Cosines do not change with the length, so the gradient along the vector is 0 although the margin changes."""
    vectors = torch.randn(6, 4, requires_grad=True)
    head_of().sample_losses(vectors, torch.arange(6) % 3).sum().backward()
    torch.testing.assert_close((vectors.grad * vectors).sum(dim=1), torch.zeros(6), atol=1e-4, rtol=0)
    assert vectors.grad.norm() > 0


@pytest.mark.parametrize("cosine", [1.0, -1.0])
def test_a_vector_on_its_class_or_opposite_has_a_finite_loss_and_gradient(cosine):
    head = head_of()
    vector = (cosine * head.weight[:1]).detach().requires_grad_()
    loss = head.sample_losses(vector, torch.tensor([0]))
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(vector.grad).all()


def test_mean_and_deviation_move_by_a_tenth_towards_those_of_the_labelled_vectors():
    head = head_of().train()
    vectors, labels = torch.randn(6, 4) * 3, torch.tensor([0, 1, NO_LABEL, 2, 1, NO_LABEL])
    loss = TaskLoss(LossParams(center_factor=0.0), num_features=4, num_classes=3)
    samples, _ = loss(head, vectors, head(vectors), labels)
    lengths = vectors.norm(dim=1)[labels != NO_LABEL]
    assert head.length_mean.item() == pytest.approx(0.9 * 2.0 + 0.1 * lengths.mean().item(), rel=1e-5)
    assert head.length_std.item() == pytest.approx(0.9 * 0.5 + 0.1 * lengths.std().item(), rel=1e-5)
    assert samples[labels == NO_LABEL].tolist() == [0, 0]
    assert (samples[labels != NO_LABEL] > 0).all()


@pytest.mark.parametrize("labels", [[NO_LABEL] * 4, [1, NO_LABEL, NO_LABEL, NO_LABEL]])
def test_fewer_than_two_labelled_vectors_move_nothing_and_give_finite_losses(labels):
    head, vectors = head_of().train(), torch.randn(4, 4)
    loss = TaskLoss(LossParams(center_factor=0.0), num_features=4, num_classes=3)
    samples, _ = loss(head, vectors, head(vectors), torch.tensor(labels))
    assert (head.length_mean.item(), head.length_std.item()) == (2.0, 0.5)
    assert torch.isfinite(samples).all()


def test_a_head_that_is_not_trained_keeps_its_mean_and_deviation():
    head, vectors = head_of().eval(), torch.randn(4, 4)
    loss = TaskLoss(LossParams(center_factor=0.0), num_features=4, num_classes=3)
    loss(head, vectors, head(vectors), torch.tensor([0, 1, 2, 0]))
    assert head.length_mean.item() == 2.0


def test_mean_and_deviation_are_saved_with_the_weights():
    assert {"weight", "length_mean", "length_std"} == set(head_of().state_dict())
