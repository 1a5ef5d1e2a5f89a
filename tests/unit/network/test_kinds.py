"""The kinds of task: labels, losses, answers and scores, against longhand twins."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, mean_squared_error
from torch.nn import functional

from dwmtl.errors import ProtocolError
from dwmtl.network.kinds import make_kind
from dwmtl.network.multi_label import MultiLabel
from dwmtl.network.regression import Regression, concordance, concordance_loss

NAN = math.nan
UNITS = Regression(-1, 1)
YEARS = Regression(0, 100)


def alone(values: torch.Tensor) -> torch.Tensor:
    """The sum over the processes of a training of one."""
    return values


def loss_of(kind, outputs, labels, name):
    return kind.loss(outputs, torch.tensor(labels), name=name, over_processes=alone)


def textbook_concordance(x: list[float], y: list[float]) -> float:
    """Lin's coefficient, a sum at a time."""
    n, mean_x, mean_y = len(x), sum(x) / len(x), sum(y) / len(y)
    var_x = sum((value - mean_x) ** 2 for value in x) / n
    var_y = sum((value - mean_y) ** 2 for value in y) / n
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / n
    return 2 * covariance / (var_x + var_y + (mean_x - mean_y) ** 2)


def pairs(num: int = 40) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    actual = random.uniform(-1, 1, num)
    return actual, np.clip(0.5 * actual + 0.2 + random.normal(0, 0.3, num), -1, 1)


def test_concordance_equals_its_textbook_twin_and_is_symmetric():
    actual, answered = pairs()
    expected = textbook_concordance(actual.tolist(), answered.tolist())
    assert concordance(actual, answered) == pytest.approx(expected)
    assert concordance(answered, actual) == pytest.approx(expected)


def test_concordance_in_closed_form():
    x = np.array([1.0, 2.0, 3.0])
    assert concordance(x, x) == 1
    assert concordance(x, x[::-1]) == -1
    assert concordance(x, x + 1) == pytest.approx(4 / 7)  # variances of 2/3, a distance of 1 between the means
    assert concordance(10 * x - 3, 10 * x + 7) == pytest.approx(4 / 7)


@pytest.mark.parametrize(("x", "y"), [([1, 1], [0, 2]), ([0, 2], [1, 1]), ([1, 1], [1, 1]), ([0.1] * 3, [0.3] * 3)])
def test_concordance_with_a_constant_is_zero(x, y):
    assert concordance(np.array(x, float), np.array(y, float)) == 0


def test_scores_of_a_regression_equal_those_of_scikit_learn():
    actual, answered = pairs()
    scores = UNITS.score(actual, answered)
    assert scores["ccc"] == (pytest.approx(textbook_concordance(actual.tolist(), answered.tolist())), 0)
    median, mean = np.full_like(actual, np.median(actual)), np.full_like(actual, actual.mean())
    assert scores["mae"] == pytest.approx((mean_absolute_error(actual, answered), mean_absolute_error(actual, median)))
    assert scores["mse"] == pytest.approx((mean_squared_error(actual, answered), mean_squared_error(actual, mean)))


def test_one_photo_has_no_concordance():
    assert UNITS.score(np.array([0.5]), np.array([0.25])) == {"ccc": None, "mae": (0.25, 0), "mse": (0.0625, 0)}


def test_scores_of_a_label_equal_those_of_scikit_learn():
    random = np.random.default_rng(0)
    actual, answered = random.integers(0, 2, 30), random.uniform(size=30)
    scores, decided = MultiLabel().score(actual, answered), answered >= 0.5
    always = f1_score(actual, np.ones(30))
    assert scores["f1"] == pytest.approx((f1_score(actual, decided), always))
    share = actual.mean()
    assert scores["accuracy"] == pytest.approx((accuracy_score(actual, decided), max(share, 1 - share)))


@pytest.mark.parametrize(
    ("actual", "answered", "f1"),
    [
        ([0, 0], [0.1, 0.2], None),  # nobody shows it
        ([0, 0], [0.9, 0.2], None),
        ([1, 1], [0.1, 0.2], (0, 1)),
        ([1, 1], [0.5, 0.9], (1, 1)),
        ([1, 0], [0.9, 0.9], (2 / 3, 2 / 3)),  # a constant answer
    ],
)
def test_f1_of_one_class_and_of_constant_answers(actual, answered, f1):
    score = MultiLabel().score(np.array(actual), np.array(answered))["f1"]
    assert score == (f1 if f1 is None else pytest.approx(f1))


def test_binary_cross_entropy_is_the_mean_over_the_labels_that_there_are():
    outputs = torch.tensor([[2.0, -1.0], [0.5, 3.0], [9.0, 9.0]], requires_grad=True)
    loss, has_label = loss_of(MultiLabel(), outputs, [[1.0, NAN], [0.0, 1.0], [NAN, NAN]], "bce")
    longhand = [math.log1p(math.exp(-2)), math.log1p(math.exp(0.5)), math.log1p(math.exp(-3))]
    assert loss.item() == pytest.approx(sum(longhand) / 3)
    assert has_label
    loss.backward()
    assert (outputs.grad != 0).tolist() == [[True, False], [True, True], [False, False]]


@pytest.mark.parametrize(("name", "twin"), [("mse", functional.mse_loss), ("mae", functional.l1_loss)])
def test_differences_are_in_units_of_half_the_range(name, twin):
    outputs = torch.tensor([[0.0, 0.5], [-0.5, 1.0]], requires_grad=True)
    loss, _ = loss_of(YEARS, outputs, [[50.0, 100.0], [NAN, 0.0]], name)
    assert loss.item() == pytest.approx(twin(torch.tensor([0.0, 0.5, 1.0]), torch.tensor([0.0, 1.0, -1.0])).item())
    loss.backward()
    assert outputs.grad[1, 0] == 0
    assert outputs.grad.isfinite().all()


def test_the_concordance_loss_is_one_minus_the_coefficient_of_each_column():
    actual, answered = pairs(6)
    labels = np.stack([actual, answered], axis=1)
    labels[1, 0] = NAN
    outputs = torch.tensor(np.stack([answered, actual[::-1]], axis=1))
    loss, has_label = loss_of(UNITS, outputs, labels, "ccc")
    kept = [0, 2, 3, 4, 5]
    first = textbook_concordance(answered[kept].tolist(), actual[kept].tolist())
    second = textbook_concordance(actual[::-1].tolist(), answered.tolist())
    assert loss.item() == pytest.approx(1 - (first + second) / 2)
    assert has_label


def test_the_gradient_of_the_concordance_loss_is_that_of_the_formula():
    """Also of the means that values are centred by, which the loss leaves out."""
    outputs = torch.rand(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    labels = torch.rand(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    labels[0, 1] = NAN
    assert torch.autograd.gradcheck(lambda values: concordance_loss(values, labels, alone)[0], outputs)


@pytest.mark.parametrize("outputs", [[[0.3], [0.3], [0.3]], [[-1.0], [0.0], [1.0]]])
def test_constant_outputs_or_labels_have_a_concordance_loss_of_one(outputs):
    outputs = torch.tensor(outputs, requires_grad=True)
    loss, _ = loss_of(UNITS, outputs, [[0.3], [0.3], [0.3]], "ccc")
    assert loss.item() == pytest.approx(1)
    loss.backward()
    assert outputs.grad.isfinite().all()


@pytest.mark.parametrize(
    ("kind", "name", "labels"),
    [
        (MultiLabel(), "bce", [[NAN], [NAN]]),
        (UNITS, "mse", [[NAN], [NAN]]),
        (UNITS, "mae", [[NAN], [NAN]]),
        (UNITS, "ccc", [[NAN], [NAN]]),
        (UNITS, "ccc", [[0.5], [NAN]]),  # of one sample nothing varies
    ],
)
def test_a_batch_without_labels_has_the_loss_zero_and_no_gradient(kind, name, labels):
    outputs = torch.tensor([[0.3], [-0.2]], requires_grad=True)
    loss, has_label = loss_of(kind, outputs, labels, name)
    assert (loss.item(), bool(has_label)) == (0, False)
    loss.backward()
    assert outputs.grad.tolist() == [[0], [0]]


def test_answers_are_probabilities_or_values_within_the_range():
    outputs = torch.tensor([[0.0, 2.0], [-3.0, 0.5]])
    torch.testing.assert_close(make_kind("classes", None).answers(outputs), functional.softmax(outputs, dim=1))
    torch.testing.assert_close(make_kind("multi_label", None).answers(outputs), 1 / (1 + (-outputs).exp()))
    answers = make_kind("regression", [0, 100]).answers(outputs)
    torch.testing.assert_close(answers, torch.tensor([[50.0, 100.0], [0.0, 75.0]]))


def test_cells_are_numbers_and_empty_ones_no_label():
    table = pd.DataFrame({"photo": ["a", "b", "c"], "valence": ["-0.25", "", "1"], "arousal": ["0", "1e-1", None]})
    labels = UNITS.labels_of(table, ["arousal", "valence"])
    np.testing.assert_array_equal(labels, np.array([[0, -0.25], [0.1, NAN], [NAN, 1]], np.float32))
    assert (labels.dtype, labels.shape) == (np.float32, (3, 2))


@pytest.mark.parametrize(
    ("kind", "cell", "wanted"),
    [
        (MultiLabel(), "2", "0, 1 or empty"),
        (MultiLabel(), "-1", "0, 1 or empty"),
        (MultiLabel(), "yes", "0, 1 or empty"),
        (MultiLabel(), "nan", "0, 1 or empty"),
        (UNITS, "1.5", "a number from -1 to 1, or empty"),
        (UNITS, "inf", "a number from -1 to 1, or empty"),
        (UNITS, " ", "a number from -1 to 1, or empty"),
        (YEARS, "-3", "a number from 0 to 100, or empty"),
    ],
)
def test_a_cell_that_is_no_label_is_named_with_its_photo(kind, cell, wanted):
    table = pd.DataFrame({"photo": ["a.jpg", "b.jpg"], "AU1": ["1", cell]})
    with pytest.raises(ProtocolError, match=rf"b\.jpg: the column AU1 holds '{cell}'; must be {wanted}\. Correct"):
        kind.labels_of(table, ["AU1"])


def test_a_label_is_shown_where_it_is_one_and_a_value_where_there_is_one():
    labels = np.array([0, 1, NAN])
    assert MultiLabel().is_shown(labels).tolist() == [False, True, False]
    assert UNITS.is_shown(labels).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("kind", "value_range", "num_outputs", "loss"),
    [("classes", None, 7, math.log(7)), ("multi_label", None, 12, math.log(2)), ("regression", [-1, 1], 2, 1.0)],
)
def test_the_loss_of_guessing_is_that_of_outputs_of_zero(kind, value_range, num_outputs, loss):
    assert make_kind(kind, value_range).chance_loss(num_outputs) == pytest.approx(loss)
