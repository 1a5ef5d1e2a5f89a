import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dwmtl.weighting.difficulty import Difficulty
from dwmtl.weighting.dynamic import DynamicWeighting
from dwmtl.weighting.naive_dynamic import NaiveDynamicWeighting
from dwmtl.weighting.weighting import WeightingInput

LOWEST, HIGHEST = 1 / (1 + math.exp(math.sqrt(2))), 1 / (1 + math.exp(-math.sqrt(2)))


def seen(features, losses) -> WeightingInput:
    return WeightingInput(features, losses, torch.ones(len(losses), dtype=torch.bool), torch.Generator())


def make_unit(num_tasks: int = 2, **changes) -> DynamicWeighting:
    torch.manual_seed(0)
    return DynamicWeighting(
        12, num_tasks, **{"normalize_logits": False, "detach_weights": False, "sigma": 0.01, **changes}
    )


@pytest.mark.parametrize("num_tasks", [2, 3, 5])
@pytest.mark.parametrize("normalize_logits", [True, False])
def test_dynamic_weights_sum_to_one(num_tasks, normalize_logits):
    weights = make_unit(num_tasks, normalize_logits=normalize_logits).weigh(
        seen(torch.randn(4, 3, 2, 2), torch.ones(num_tasks))
    )
    assert weights.shape == (num_tasks,)
    assert weights.sum().item() == pytest.approx(1, abs=1e-6)


def test_dynamic_weights_equal_their_longhand_twin():
    unit = make_unit()
    features = torch.randn(4, 3, 2, 2)
    expected = torch.zeros(2)
    for sample in features:
        z = sample.reshape(-1)
        z = z / z.norm()
        a = torch.stack([(unit.unit.weight[t] * z).sum() + unit.unit.bias[t] for t in range(2)])
        expected += a.exp() / a.exp().sum() / 4
    torch.testing.assert_close(unit.weigh(seen(features, torch.ones(2))), expected)


@given(scale=st.floats(1e-6, 1e6), seed=st.integers(0, 1000))
def test_normalised_logits_keep_two_weights_between_their_bounds(scale, seed):
    unit = make_unit(normalize_logits=True)
    with torch.no_grad():
        unit.unit.weight.mul_(scale)
    features = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(seed))
    weights = unit.sample_weights(features)
    assert (weights >= LOWEST - 1e-6).all()
    assert (weights <= HIGHEST + 1e-6).all()
    assert pytest.approx(0.1955, abs=1e-4) == LOWEST


def test_the_scale_of_the_features_does_not_matter():
    unit, features = make_unit(), torch.randn(4, 3, 2, 2)
    torch.testing.assert_close(
        unit.weigh(seen(features, torch.ones(2))), unit.weigh(seen(1000 * features, torch.ones(2)))
    )


def test_weighting_loss_equals_its_closed_form():
    loss = make_unit().weighting_loss(torch.tensor([0.25, 0.75]), seen(None, torch.tensor([0.49, 0.0])))
    assert loss.item() == pytest.approx(0.25 / 0.5 + 0.75 / 0.01)


def minimise(unit: DynamicWeighting, loss_of, steps: int = 50) -> torch.Tensor:
    features, losses = torch.randn(8, 3, 2, 2), torch.tensor([2.0, 0.5])
    optimizer = torch.optim.SGD(unit.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(unit.weigh(seen(features, losses)), losses).backward()
        optimizer.step()
    return unit.weigh(seen(features, losses)).detach()


@pytest.mark.parametrize("normalize_logits", [True, False])
def test_minimising_the_weighting_loss_moves_weight_to_the_larger_loss(normalize_logits):
    unit = make_unit(normalize_logits=normalize_logits)
    weights = minimise(unit, lambda w, losses: unit.weighting_loss(w, seen(None, losses)))
    assert weights[0] > 0.7


def test_the_naive_unit_moves_weight_to_the_smaller_loss():
    unit = NaiveDynamicWeighting(12, 2, normalize_logits=False)
    weights = minimise(unit, lambda w, losses: (w * losses).sum())
    assert unit.weighting_loss(weights, seen(None, torch.ones(2))) is None
    assert weights[1] > 0.7


def test_detached_weights_send_no_gradient_to_the_features():
    features = torch.randn(2, 3, 2, 2, requires_grad=True)
    for detach in (True, False):
        weights = make_unit(detach_weights=detach).weigh(seen(features, torch.ones(2)))
        gradient = torch.autograd.grad(weights[0], features, allow_unused=True)[0]
        assert (gradient is None) == detach


def test_the_weighting_loss_sends_no_gradient_to_the_task_losses():
    losses = torch.tensor([1.0, 2.0], requires_grad=True)
    weights = torch.tensor([0.5, 0.5], requires_grad=True)
    loss = make_unit().weighting_loss(weights, seen(None, losses))
    assert torch.autograd.grad(loss, losses, allow_unused=True)[0] is None


def test_a_task_without_a_label_gets_no_weight_and_the_others_all():
    features = torch.randn(4, 3, 2, 2)
    losses, has_label = torch.tensor([1.0, 0.0, 2.0]), torch.tensor([True, False, True])
    unit = make_unit(3)
    weights = unit.weigh(WeightingInput(features, losses, has_label, torch.Generator()))
    free = unit.weigh(seen(features, losses))
    torch.testing.assert_close(weights, torch.stack([free[0], torch.tensor(0.0), free[2]]) / (free[0] + free[2]))
    loss = unit.weighting_loss(weights, WeightingInput(features, losses, has_label, torch.Generator()))
    torch.testing.assert_close(loss, weights[0] / 1.01 + weights[2] / 2.01)


def test_floors_are_added_to_the_weights_of_labelled_tasks():
    features, losses = torch.randn(4, 3, 2, 2), torch.ones(3)
    free, raised = make_unit(3), make_unit(3, floors=[0.1, 0.2, 0.3])
    torch.testing.assert_close(
        raised.weigh(seen(features, losses)), free.weigh(seen(features, losses)) + torch.tensor([0.1, 0.2, 0.3])
    )
    masked = WeightingInput(features, losses, torch.tensor([False, True, True]), torch.Generator())
    assert raised.weigh(masked)[0] == 0


def test_three_tasks_are_led_to_the_hardest():
    unit, losses = make_unit(3), torch.tensor([0.5, 3.0, 1.0])
    features = torch.randn(8, 3, 2, 2)
    optimizer = torch.optim.SGD(unit.parameters(), lr=0.5)
    for _ in range(100):
        optimizer.zero_grad()
        unit.weighting_loss(unit.weigh(seen(features, losses)), seen(features, losses)).backward()
        optimizer.step()
    weights = unit.weigh(seen(features, losses))
    assert weights.argmax() == 1
    assert weights[2] > weights[0]


def test_a_temperature_moves_the_bounds_of_two_weights():
    unit = make_unit(normalize_logits=True, temperature=0.5)
    with torch.no_grad():
        unit.unit.weight.mul_(1e6)
    weights = unit.sample_weights(torch.randn(64, 3, 2, 2, generator=torch.Generator().manual_seed(0)))
    highest = 1 / (1 + math.exp(-2 * math.sqrt(2)))
    assert HIGHEST < weights.max() <= highest + 1e-6


def difficulties(relative_to: str, smoothing: float, losses: list[list[float]]) -> list[list[float]]:
    """Of each step, of two tasks with 9 and 3 classes."""
    difficulty = Difficulty(torch.tensor([9.0, 3.0]).log(), relative_to=relative_to, smoothing=smoothing)
    return [difficulty(torch.tensor(step), torch.tensor(step) > 0).tolist() for step in losses]


@pytest.mark.parametrize(
    ("relative_to", "smoothing", "expected"),
    [
        ("chance", 0.0, [[4 / math.log(9), 2 / math.log(3)], [2 / math.log(9), 0], [1 / math.log(9), 1 / math.log(3)]]),
        ("first", 0.0, [[1, 1], [0.5, 0], [0.25, 0.5]]),
        ("mean", 0.0, [[1, 1], [2 / 3, 0], [1 / (7 / 3), 1 / 1.5]]),
        ("nothing", 0.5, [[4, 2], [3, 1], [2, 1.5]]),
        ("first", 0.5, [[1, 1], [0.75, 0.5], [0.5, 0.75]]),
    ],
)
def test_difficulties_equal_their_longhand_twin_and_a_task_without_a_label_changes_nothing(
    relative_to, smoothing, expected
):
    found = difficulties(relative_to, smoothing, [[4.0, 2.0], [2.0, 0.0], [1.0, 1.0]])
    labelled = [[True, True], [True, False], [True, True]]
    for ours, twin, counts in zip(found, expected, labelled, strict=True):
        assert [v for v, c in zip(ours, counts, strict=True) if c] == pytest.approx(
            [v for v, c in zip(twin, counts, strict=True) if c]
        )


def test_the_units_loss_takes_the_difficulties_in_place_of_the_losses():
    difficulty = Difficulty(torch.tensor([9.0, 3.0]).log(), relative_to="chance", smoothing=0.0)
    given = seen(torch.zeros(1, 12, 1, 1), torch.tensor([2.0, 1.0]))
    loss = make_unit(difficulty=difficulty).weighting_loss(torch.tensor([0.3, 0.7]), given)
    expected = 0.3 / (2 / math.log(9) + 0.01) + 0.7 / (1 / math.log(3) + 0.01)
    assert loss.item() == pytest.approx(expected, rel=1e-6)
