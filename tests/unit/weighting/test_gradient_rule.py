"""TorchJD's rules on the tasks' gradients, by what each promises of its direction."""

import pytest
import torch

from dwmtl.weighting.gradient_rule import GradientRuleWeighting
from dwmtl.weighting.weighting import WeightingInput


def rule(name: str, gradients: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """Weights of tasks with these gradients, (T, D), and equal losses."""
    num_tasks, generator = len(gradients), torch.Generator().manual_seed(seed)
    losses, has_label = torch.ones(num_tasks), torch.ones(num_tasks, dtype=torch.bool)
    given = WeightingInput(torch.zeros(1, 2, 2, 2), losses, has_label, generator, gradients @ gradients.T)
    return GradientRuleWeighting(name).weigh(given)


def test_mgda_equals_the_closed_form_of_two_tasks():
    a, b = torch.tensor([1.0, 0.0, 2.0]), torch.tensor([0.5, 1.0, -1.0])
    share = (((b - a) @ b) / ((a - b) @ (a - b))).clamp(0, 1).item()
    assert rule("mgda", torch.stack([a, b])).tolist() == pytest.approx([share, 1 - share], abs=1e-3)


def test_pcgrad_equals_its_longhand_twin():
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([-1.0, 1.0])
    projected = (a - (a @ b) / (b @ b) * b) + (b - (b @ a) / (a @ a) * a)
    weights = rule("pcgrad", torch.stack([a, b]))
    torch.testing.assert_close(weights[0] * a + weights[1] * b, projected)


@pytest.mark.parametrize("name", ["upgrad", "mgda"])
def test_the_direction_harms_no_task(name):
    gradients = torch.randn(3, 12, generator=torch.Generator().manual_seed(5))
    direction = rule(name, gradients) @ gradients
    assert (gradients @ direction > -1e-4).all()


def test_imtl_g_projects_the_direction_alike_on_every_tasks_gradient():
    gradients = torch.randn(2, 12, generator=torch.Generator().manual_seed(5))
    direction = rule("imtl_g", gradients) @ gradients
    onto = gradients @ direction / gradients.norm(dim=1)
    assert onto[0].item() == pytest.approx(onto[1].item(), rel=1e-3)


def test_cagrad_stays_within_its_radius_of_the_mean_gradient():
    gradients = torch.randn(2, 12, generator=torch.Generator().manual_seed(5))
    mean = gradients.mean(dim=0)
    weights = rule("cagrad", gradients)
    distance = (weights @ gradients - mean).norm() / mean.norm()
    assert distance.item() == pytest.approx(0.5, abs=0.02)


def test_aligned_mtl_of_orthogonal_gradients_of_one_length_is_their_mean():
    weights = rule("aligned_mtl", torch.eye(2, 5))
    assert weights.tolist() == pytest.approx([0.5, 0.5], abs=1e-5)


@pytest.mark.parametrize(("name", "alpha"), [("fairgrad", 2.0), ("nash_mtl", 1.0)])
def test_fair_weights_are_the_inverse_of_the_tasks_gains(name, alpha):
    """Gramian @ w = w^(-1 / alpha); Nash-MTL's Gramian has the norm 1."""
    gradients = torch.randn(3, 12, generator=torch.Generator().manual_seed(5))
    gramian = gradients @ gradients.T
    gramian = gramian / gramian.norm() if name == "nash_mtl" else gramian
    weights = rule(name, gradients)
    torch.testing.assert_close(gramian @ weights, weights ** (-1 / alpha), rtol=1e-3, atol=0)


def test_a_gradient_rule_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    rule("pcgrad", torch.randn(3, 12, generator=torch.Generator().manual_seed(5)))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_gradient_rule_draws_from_the_steps_generator():
    """The order in which PCGrad projects three tasks is drawn; it matters where each conflicts with both others."""
    gradients = torch.tensor([[1.0, 0.0, 0.0], [-0.5, 1.0, 0.0], [-0.5, -0.6, 1.0]])
    weights = [rule("pcgrad", gradients, seed).tolist() for seed in range(8)]
    torch.manual_seed(9)
    assert weights == [rule("pcgrad", gradients, seed).tolist() for seed in range(8)]
    assert len(set(map(tuple, weights))) > 1
