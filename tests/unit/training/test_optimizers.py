import math

import pytest
import torch

from dwmtl.training.optimizers import make_optimizer, scheduled, set_learning_rate


def test_rmsprop_tf_equals_its_longhand_twin():
    parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = make_optimizer("rmsprop_tf", [parameter], learning_rate=0.1)
    value, mean_square, momentum = parameter.detach().clone(), torch.ones(2), torch.zeros(2)
    for step in range(4):
        gradient = torch.tensor([0.5, 3.0]) * (step + 1)
        parameter.grad = gradient.clone()
        optimizer.step()
        mean_square = 0.9 * mean_square + 0.1 * gradient**2
        momentum = 0.9 * momentum + 0.1 * gradient / (mean_square + 1.0).sqrt()
        value = value - momentum
        torch.testing.assert_close(parameter.detach(), value)


def test_parameters_that_need_no_gradient_are_left_out():
    frozen = torch.nn.Parameter(torch.zeros(1), requires_grad=False)
    optimizer = make_optimizer("adamw", [frozen, torch.nn.Parameter(torch.zeros(1))], learning_rate=0.1)
    assert len(optimizer.param_groups[0]["params"]) == 1


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="name must be adamw, sgd or rmsprop_tf"):
        make_optimizer("adam", [], learning_rate=0.1)


def test_cosine_falls_from_the_full_rate_towards_zero():
    rates = [scheduled(0.5, schedule="cosine", step=step, num_steps=4, epoch=0) for step in range(5)]
    assert rates == pytest.approx([0.5 * (1 + math.cos(math.pi * step / 4)) / 2 for step in range(5)])
    assert rates[0] == 0.5
    assert rates[4] == pytest.approx(0)


def test_constant_stays():
    assert scheduled(0.5, schedule="constant", step=3, num_steps=4, epoch=0) == 0.5


def test_the_authors_schedule_gives_the_rate_of_the_last_epoch_that_has_come():
    schedule = "# the published run's\n0: 0.01\n2: 0.001  # lower\n\n5: 0.0001\n8: 1e-5\n"
    rates = [scheduled(0.5, schedule=schedule, step=0, num_steps=4, epoch=epoch) for epoch in range(10)]
    assert rates == [0.01, 0.01, 0.001, 0.001, 0.001, 1e-4, 1e-4, 1e-4, 1e-5, 1e-5]


def test_parameters_of_a_weighting_do_not_decay():
    weight, log_variance = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
    optimizer = make_optimizer("adamw", [weight], learning_rate=0.1, weight_decay=0.5, undecayed=[log_variance])
    weight.grad, log_variance.grad = torch.zeros(1), torch.zeros(1)
    optimizer.step()
    assert weight.item() == pytest.approx(0.95)
    assert log_variance.item() == 1


def test_the_learning_rate_is_set_for_every_group():
    optimizer = make_optimizer("sgd", [torch.nn.Parameter(torch.zeros(1))], learning_rate=0.1)
    set_learning_rate(optimizer, 0.3)
    assert [group["lr"] for group in optimizer.param_groups] == [0.3]


def test_a_factor_scales_the_rate_of_its_parameters_alone():
    slow, fast, other = (torch.nn.Parameter(torch.ones(1)) for _ in range(3))
    optimizer = make_optimizer("sgd", [slow, fast, other], learning_rate=0.1, factors={slow: 0.1, fast: 10.0})
    for rate in (0.1, 0.05):
        set_learning_rate(optimizer, rate)
        before = [p.item() for p in (slow, fast, other)]
        for parameter in (slow, fast, other):
            parameter.grad, optimizer.state[parameter] = torch.ones(1), {}  # without momentum
        optimizer.step()
        moved = [a - p.item() for a, p in zip(before, (slow, fast, other), strict=True)]
        assert moved == pytest.approx([0.1 * rate, 10 * rate, rate], rel=1e-4)


def test_without_factors_there_is_one_group():
    optimizer = make_optimizer("adamw", [torch.nn.Parameter(torch.ones(1)) for _ in range(3)], learning_rate=0.1)
    assert [len(group["params"]) for group in optimizer.param_groups] == [3]


@pytest.mark.parametrize("schedule", ["constant", "cosine", "0: 0.3\n1: 0.2"])
def test_the_rate_rises_in_a_line_to_the_schedules(schedule):
    def rates(warmup_fraction):
        return [
            scheduled(0.5, schedule=schedule, step=n, num_steps=20, epoch=n // 10, warmup_fraction=warmup_fraction)
            for n in range(20)
        ]

    plain = rates(0.0)
    expected = [rate * min(1, (n + 1) / 4) for n, rate in enumerate(plain)]
    assert rates(0.2) == pytest.approx(expected)
    assert rates(0.2)[3:] == plain[3:]
