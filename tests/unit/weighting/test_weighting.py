import pytest
import torch

from dwmtl.params import FixedWeightingParams, NaiveDynamicWeightingParams, load_params
from dwmtl.weighting.by_name import make_weighting
from dwmtl.weighting.dynamic import DynamicWeighting
from dwmtl.weighting.fixed import FixedWeighting
from dwmtl.weighting.naive_dynamic import NaiveDynamicWeighting
from dwmtl.weighting.weighting import renormalize

TASKS = ("identity", "expression")


def test_renormalized_weights_sum_to_one_over_the_labelled_tasks():
    weights = renormalize(torch.tensor([0.2, 0.3, 0.5]), torch.tensor([True, True, False]))
    torch.testing.assert_close(weights, torch.tensor([0.4, 0.6, 0.0]))


def test_renormalized_weights_are_zero_where_no_task_is_labelled():
    assert renormalize(torch.tensor([0.5, 0.5]), torch.tensor([False, False])).tolist() == [0, 0]


def test_fixed_weights_are_scaled_to_sum_to_one():
    weights = FixedWeighting([1.0, 3.0])(torch.zeros(1, 2, 1, 1), torch.ones(2))
    assert weights.tolist() == [0.25, 0.75]


@pytest.mark.parametrize("weights", [[0.0, 0.0], [-1.0, 2.0]])
def test_fixed_weights_without_a_meaning_are_refused(weights):
    with pytest.raises(ValueError, match="task_weights must be non-negative"):
        FixedWeighting(weights)


def test_every_weighting_is_made_by_its_name():
    dynamic = make_weighting(load_params().train.weighting, num_features=8, tasks=TASKS)
    assert type(dynamic) is DynamicWeighting
    naive = NaiveDynamicWeightingParams(name="naive_dynamic", normalize_logits=True)
    assert type(make_weighting(naive, num_features=8, tasks=TASKS)) is NaiveDynamicWeighting
    fixed = make_weighting(FixedWeightingParams(name="fixed", weights=None), num_features=8, tasks=TASKS)
    assert fixed(None, None).tolist() == [0.5, 0.5]


def test_fixed_weights_follow_the_order_of_the_tasks():
    params = FixedWeightingParams(name="fixed", weights={"expression": 3.0, "identity": 1.0})
    assert make_weighting(params, num_features=8, tasks=TASKS)(None, None).tolist() == [0.25, 0.75]


def test_fixed_weights_that_name_another_task_are_refused():
    with pytest.raises(ValueError, match="weights must name"):
        FixedWeightingParams(name="fixed", weights={"expresion": 1.0, "identity": 1.0})
