import math

import pytest
import torch

from dwmtl.weighting.by_name import make_weighting
from dwmtl.weighting.dwa import DwaWeighting
from dwmtl.weighting.fixed import FixedWeighting
from dwmtl.weighting.gradnorm import GradNormWeighting
from dwmtl.weighting.params import WEIGHTINGS, weighting_params
from dwmtl.weighting.rlw import RlwWeighting
from dwmtl.weighting.uncertainty import UncertaintyWeighting
from dwmtl.weighting.weighting import WeightingInput, renormalize

CHANCE_LOSSES = {"identity": 2.2, "expression": 1.9, "glasses": 0.7}
TASKS = tuple(CHANCE_LOSSES)


def seen(losses, has_label=None, gradients=None, seed=0) -> WeightingInput:
    losses = torch.tensor(losses)
    has_label = torch.ones(len(losses), dtype=torch.bool) if has_label is None else torch.tensor(has_label)
    features = torch.randn(4, 2, 2, 2, generator=torch.Generator().manual_seed(0))
    gramian = None if gradients is None else gradients @ gradients.T
    return WeightingInput(features, losses * has_label, has_label, torch.Generator().manual_seed(seed), gramian)


def test_renormalized_weights_keep_their_sum_over_the_labelled_tasks():
    weights = renormalize(torch.tensor([0.4, 0.6, 1.0]), torch.tensor([True, True, False]))
    torch.testing.assert_close(weights, torch.tensor([0.8, 1.2, 0.0]))


def test_renormalized_weights_are_zero_where_no_task_is_labelled():
    for num_tasks in (2, 8):  # the sum of 8, by the smallest number, is infinite
        assert not renormalize(torch.ones(num_tasks), torch.zeros(num_tasks, dtype=torch.bool)).any()


@pytest.mark.parametrize("name", WEIGHTINGS)
@pytest.mark.parametrize("has_label", [[True, True, True], [True, False, True], [False, True, False]])
def test_every_weighting_by_its_name_weighs_the_labelled_tasks_alone(name, has_label):
    torch.manual_seed(0)
    settings = {"weights": dict.fromkeys(TASKS, 1.0)} if name == "fixed" else {}
    weighting = make_weighting(weighting_params(name, **settings), num_features=8, chance_losses=CHANCE_LOSSES)
    gradients = torch.randn(3, 20, generator=torch.Generator().manual_seed(1)) * torch.tensor(has_label)[:, None]
    weights = weighting.weigh(seen([1.0, 2.0, 0.5], has_label, gradients)).detach()
    assert weights.shape == (3,)
    assert (weights[~torch.tensor(has_label)] == 0).all()
    assert (weights >= 0).all() or name == "imtl_g"  # which may turn one of several tasks around
    assert weights.isfinite().all()
    if name != "single_task":
        assert weights.sum() > 0.2


@pytest.mark.parametrize("weights", [[0.0, 0.0], [-1.0, 2.0]])
def test_fixed_weights_without_a_meaning_are_refused(weights):
    with pytest.raises(ValueError, match="task_weights must be non-negative"):
        FixedWeighting(weights)


def test_fixed_weights_are_scaled_to_sum_to_one_in_the_order_of_the_tasks():
    params = weighting_params("fixed", weights={"glasses": 2.0, "expression": 1.0, "identity": 1.0})
    weights = make_weighting(params, num_features=8, chance_losses=CHANCE_LOSSES).weigh(seen([1.0, 1.0, 1.0]))
    assert weights.tolist() == [0.25, 0.25, 0.5]


def test_a_single_task_has_all_the_weight():
    params = weighting_params("single_task", task="expression")
    weighting = make_weighting(params, num_features=8, chance_losses=CHANCE_LOSSES)
    assert weighting.weigh(seen([1.0, 1.0, 1.0])).tolist() == [0, 1, 0]
    assert weighting.weigh(seen([1.0, 1.0, 1.0], [True, False, True])).tolist() == [0, 0, 0]


def test_uncertainty_equals_its_longhand_twin_and_learns_the_losses():
    """Minimising sum L / (2 e^s) + s / 2 over s has the closed form e^s = L."""
    weighting, losses = UncertaintyWeighting(2, initial_log_variance=-0.5), [2.0, 0.5]
    given = seen(losses)
    total = (weighting.weigh(given) * given.task_losses).sum() + weighting.penalty(given)
    expected = sum(loss / (2 * math.exp(-0.5)) + -0.5 / 2 for loss in losses)
    assert total.item() == pytest.approx(expected, rel=1e-6)
    optimizer = torch.optim.SGD(weighting.parameters(), lr=0.5)
    for _ in range(300):
        optimizer.zero_grad()
        ((weighting.weigh(given) * given.task_losses).sum() + weighting.penalty(given)).backward()
        optimizer.step()
    torch.testing.assert_close(weighting.log_variances.detach().exp(), torch.tensor(losses), rtol=1e-3, atol=0)


def test_uncertainty_of_a_task_without_a_label_stays():
    weighting, given = UncertaintyWeighting(2, initial_log_variance=-0.5), seen([2.0, 0.0], [True, False])
    ((weighting.weigh(given) * given.task_losses).sum() + weighting.penalty(given)).backward()
    assert weighting.log_variances.grad[1] == 0


def test_dwa_is_ones_for_two_epochs_and_then_its_longhand_twin():
    weighting, given = DwaWeighting(2, temperature=2.0), seen([1.0, 1.0])
    assert weighting.weigh(given).tolist() == [1, 1]
    weighting.end_epoch(torch.tensor([4.0, 2.0]))
    assert weighting.weigh(given).tolist() == [1, 1]
    weighting.end_epoch(torch.tensor([1.0, 1.8]))
    exponents = [math.exp(1.0 / 4.0 / 2.0), math.exp(1.8 / 2.0 / 2.0)]
    assert weighting.weigh(given).tolist() == pytest.approx([2 * e / sum(exponents) for e in exponents], rel=1e-6)


def test_dwa_takes_a_task_without_a_label_for_one_that_stands_still():
    weighting = DwaWeighting(2, temperature=2.0)
    weighting.end_epoch(torch.tensor([4.0, torch.nan]))
    weighting.end_epoch(torch.tensor([4.0, 2.0]))
    assert weighting.weigh(seen([1.0, 1.0])).tolist() == pytest.approx([1, 1])


def test_rlw_draws_from_the_steps_generator_alone():
    weighting = RlwWeighting(2)
    first = weighting.weigh(seen([1.0, 1.0], seed=3))
    torch.manual_seed(9)
    assert torch.equal(first, weighting.weigh(seen([1.0, 1.0], seed=3)))
    assert not torch.equal(first, weighting.weigh(seen([1.0, 1.0], seed=4)))
    assert first.sum().item() == pytest.approx(1)


def longhand_gradnorm(weights, norms, losses, first_losses, alpha):
    weighted = [w * n for w, n in zip(weights, norms, strict=True)]
    mean = sum(weighted) / len(weighted)
    progress = [loss / first for loss, first in zip(losses, first_losses, strict=True)]
    rates = [p / (sum(progress) / len(progress)) for p in progress]
    return sum(abs(g - mean * rate**alpha) for g, rate in zip(weighted, rates, strict=True))


def test_gradnorm_equals_its_longhand_twin():
    weighting = GradNormWeighting(2, alpha=1.5)
    gradients = torch.tensor([[3.0, 4.0], [0.0, 1.0]])
    weighting.weigh(seen([2.0, 1.0], gradients=gradients))
    given = seen([1.0, 0.9], gradients=gradients)
    weights = weighting.weigh(given)
    assert weights.tolist() == [1, 1]
    loss = weighting.weighting_loss(weights, given)
    assert loss.item() == pytest.approx(longhand_gradnorm([1, 1], [5, 1], [1.0, 0.9], [2.0, 1.0], 1.5), rel=1e-6)
    loss.backward()
    # the target is a constant: the sign of the difference times the task's norm
    assert weighting.task_weights.grad.tolist() == pytest.approx([5, -1], rel=1e-6)


def test_gradnorm_leaves_the_weight_of_a_task_without_a_label_as_it_is():
    weighting = GradNormWeighting(3, alpha=1.5)
    given = seen([1.0, 2.0, 0.5], [True, False, True], torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.0, 1.0]]))
    weights = weighting.weigh(given)
    assert weights.tolist() == [1.5, 0, 1.5]
    weighting.weighting_loss(weights, given).backward()
    assert weighting.task_weights.grad.tolist() == pytest.approx([1.5 * 5, 0, -1.5 * 1])


def test_gradnorm_takes_weight_from_the_task_with_the_larger_gradient():
    weighting, gradients = GradNormWeighting(2, alpha=0.0), torch.tensor([[3.0, 4.0], [0.0, 1.0]])
    optimizer = torch.optim.SGD(weighting.parameters(), lr=0.002)
    for _ in range(300):
        given = seen([1.0, 1.0], gradients=gradients)
        optimizer.zero_grad()
        weighting.weighting_loss(weighting.weigh(given), given).backward()
        optimizer.step()
    weights = weighting.weigh(seen([1.0, 1.0], gradients=gradients)).detach()
    assert weights.sum().item() == pytest.approx(2, abs=1e-5)
    assert (weights * torch.tensor([5.0, 1.0])).tolist() == pytest.approx([5 / 3, 5 / 3], abs=0.05)


def test_rules_that_draw_keep_no_state():
    """A resumed training draws the same: no rule keeps a generator's state."""
    for name in ("rlw", "pcgrad", "graddrop"):
        assert make_weighting(weighting_params(name), num_features=8, chance_losses=CHANCE_LOSSES).state_dict() == {}
