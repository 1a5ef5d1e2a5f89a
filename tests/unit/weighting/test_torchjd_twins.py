"""The rules that TorchJD also has, against its own engine; it is installed for the tests."""

import pytest
import torch
from torch import Tensor

from dwmtl.weighting.famo import FamoWeighting
from dwmtl.weighting.geometric_mean import GeometricMeanWeighting
from dwmtl.weighting.gradvac import GradVacWeighting
from dwmtl.weighting.imtl_l import ImtlLWeighting
from dwmtl.weighting.jacobian_rule import JacobianRuleWeighting
from dwmtl.weighting.stch import StchWeighting
from dwmtl.weighting.weighting import WeightingInput

aggregation = pytest.importorskip("torchjd.aggregation")
scalarization = pytest.importorskip("torchjd.scalarization")


def seen(losses: Tensor, gradients: Tensor | None = None) -> WeightingInput:
    has_label = torch.ones(len(losses), dtype=torch.bool)
    gramian = None if gradients is None else gradients @ gradients.T
    return WeightingInput(torch.zeros(1, 1, 1, 1), losses, has_label, torch.Generator().manual_seed(0), gramian)


@pytest.mark.parametrize(
    ("weighting", "scalarizer"),
    [
        (GeometricMeanWeighting(), scalarization.GeometricMean()),
        (StchWeighting(mu=0.5), scalarization.STCH(0.5, weights=torch.ones(3))),
        (ImtlLWeighting(3), scalarization.IMTLL(3)),
        (FamoWeighting(3), scalarization.FAMO(3)),
    ],
    ids=lambda rule: type(rule).__name__,
)
def test_the_weights_are_the_gradient_of_the_scalarised_losses(weighting, scalarizer):
    losses = torch.tensor([4.8, 1.9, 0.7], requires_grad=True)
    (expected,) = torch.autograd.grad(scalarizer(losses), losses)
    torch.testing.assert_close(weighting.weigh(seen(losses)).detach(), expected)


def test_imtl_l_is_trained_as_its_twin():
    weighting, twin, losses = ImtlLWeighting(2), scalarization.IMTLL(2), torch.tensor([3.0, 0.5])
    total = (weighting.weigh(seen(losses)) * losses).sum() + weighting.penalty(seen(losses))
    torch.testing.assert_close(total, twin(losses))
    (ours,), (theirs,) = (torch.autograd.grad(v, m.parameters()) for v, m in [(total, weighting), (twin(losses), twin)])
    torch.testing.assert_close(ours, theirs)


def test_famo_learns_as_its_twin_from_the_losses_before_and_after_each_step():
    weighting, twin = FamoWeighting(3), scalarization.FAMO(3, lr=0.025, weight_decay=0.0)
    optimizer = torch.optim.AdamW(weighting.parameters(), lr=0.025, weight_decay=0.0)
    generator, has_label = torch.Generator().manual_seed(0), torch.ones(3, dtype=torch.bool)
    losses = torch.tensor([4.8, 1.9, 0.7])
    for _ in range(20):
        after = losses * (0.8 + 0.2 * torch.rand(3, generator=generator))
        values = losses.clone().requires_grad_()
        (expected,) = torch.autograd.grad(twin(values), values)
        torch.testing.assert_close(weighting.weigh(seen(losses)), expected)
        twin.update(after)
        optimizer.zero_grad()
        weighting.look_back(losses, after, has_label).backward()
        optimizer.step()
        losses = after
    assert weighting.logits.detach().abs().max() > 0.05


def test_gradvac_turns_the_gradients_as_its_twin_step_by_step():
    weighting, twin = GradVacWeighting(2, beta=0.5), aggregation.GradVacWeighting(beta=0.5)
    generator = torch.Generator().manual_seed(0)
    has_turned = False
    for _ in range(12):
        gradients = torch.randn(2, 5, generator=generator)
        weights = weighting.weigh(seen(torch.ones(2), gradients))
        torch.testing.assert_close(weights, twin(gradients @ gradients.T))
        has_turned |= not torch.equal(weights, torch.ones(2))
    assert has_turned


def test_config_has_the_same_cosine_to_every_tasks_gradient():
    gradients = torch.randn(3, 40, generator=torch.Generator().manual_seed(0)) * torch.tensor([[1.0], [9.0], [0.1]])
    direction = combined("config", gradients)
    cosines = torch.nn.functional.cosine_similarity(gradients, direction[None], dim=1)
    assert (cosines > 0).all()
    torch.testing.assert_close(cosines, cosines.mean().expand(3), rtol=1e-3, atol=0)


def test_graddrop_keeps_of_each_entry_one_sign_drawn_by_the_steps_generator():
    gradients = torch.randn(2, 400, generator=torch.Generator().manual_seed(0))
    direction = combined("graddrop", gradients)
    positive, negative = gradients.clamp(min=0).sum(dim=0), gradients.clamp(max=0).sum(dim=0)
    keeps_positive = direction == positive
    assert (keeps_positive | (direction == negative)).all()
    torch.manual_seed(9)
    assert torch.equal(direction, combined("graddrop", gradients))
    share = positive / gradients.abs().sum(dim=0)
    mixed = (share > 0) & (share < 1)
    assert keeps_positive[mixed].float().mean() == pytest.approx(share[mixed].mean().item(), abs=0.1)


def test_rules_on_the_jacobian_see_the_labelled_tasks_alone():
    gradients = torch.randn(2, 40, generator=torch.Generator().manual_seed(0))
    for name in ("config", "graddrop"):
        alone = combined(name, gradients, weights=torch.tensor([0.0, 1.0]))
        torch.testing.assert_close(alone, gradients[1])


def combined(name: str, gradients: Tensor, weights: Tensor | None = None) -> Tensor:
    """The trunk's gradient, of parameters of two shapes."""
    by_task = [[row[:8].reshape(2, 4), row[8:]] for row in gradients]
    weights = torch.ones(len(gradients)) if weights is None else weights
    parts = JacobianRuleWeighting(name).combine(by_task, weights, torch.Generator().manual_seed(0))
    assert [part.shape for part in parts] == [gradient.shape for gradient in by_task[0]]
    return torch.cat([part.flatten() for part in parts])
