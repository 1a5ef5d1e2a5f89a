import logging
import math

import numpy as np
import pandas as pd
import pytest
import torch

from dwmtl.errors import NonFiniteLossError
from dwmtl.network.params import HiddenHeadParams
from dwmtl.params import load_params
from dwmtl.training.compute import Execution, make_fabric
from dwmtl.training.loop import _warn_if_stuck, fit
from dwmtl.training.params import OptimizerParams
from dwmtl.training.training import Training
from dwmtl.training.trajectory import final_losses
from dwmtl.weighting.dwa import DwaWeighting
from dwmtl.weighting.fixed import FixedWeighting
from dwmtl.weighting.gradient_rule import GradientRuleWeighting
from dwmtl.weighting.gradnorm import GradNormWeighting
from dwmtl.weighting.naive_dynamic import NaiveDynamicWeighting
from dwmtl.weighting.rlw import RlwWeighting
from dwmtl.weighting.uncertainty import UncertaintyWeighting


def _constant() -> OptimizerParams:
    return load_params().train.optimizer.model_copy(update={"schedule": "constant"})


def test_the_trajectory_has_a_row_a_step_with_what_the_method_moves(train, new_network):
    trajectory = train(new_network()).trajectory
    assert trajectory["step"].tolist() == [0, 1, 2, 3]
    assert trajectory["epoch"].tolist() == [0, 0, 1, 1]
    assert (trajectory["weight_identity"] + trajectory["weight_expression"]).to_numpy() == pytest.approx(np.ones(4))
    total = (
        trajectory["weight_identity"] * trajectory["loss_identity"]
        + trajectory["weight_expression"] * trajectory["loss_expression"]
    )
    assert trajectory["loss_total"].to_numpy() == pytest.approx(total.to_numpy(), rel=1e-5)
    assert trajectory.notna().all(axis=None)


def test_the_same_seed_gives_the_same_bytes(train, new_network):
    first, second = new_network(), new_network()
    assert train(first).trajectory.equals(train(second).trajectory)
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_another_seed_gives_another_trajectory(train, new_network):
    assert not train(new_network()).trajectory.equals(train(new_network(), seed=1).trajectory)


def test_training_lowers_the_losses_on_its_own_crops(train, new_network):
    trajectory = train(new_network(dropout=0.0, linear_sigma=0.02), num_epochs=15).trajectory
    assert trajectory["loss_total"].iloc[-2:].mean() < 0.5 * trajectory["loss_total"].iloc[:2].mean()


def test_a_loss_that_is_no_number_stops_before_the_step_and_names_its_files(train, new_network):
    network = new_network()
    with torch.no_grad():
        network.heads["expression"][0].weight[0, 0] = math.nan
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(NonFiniteLossError, match=r"at step 0: .*identity .*expression nan.*\.png"):
        train(network)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]) or name == "heads.expression.0.weight", name


def test_an_epoch_whose_every_step_was_skipped_is_an_error_and_changes_nothing(train, new_network):
    network = new_network(dropout=0.0)
    with torch.no_grad():
        network.heads["expression"][0].weight[0, 0] = math.nan
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(NonFiniteLossError, match="every step of epoch 0 was skipped"):
        train(network, on_non_finite="skip")
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]) or name == "heads.expression.0.weight", name


def test_a_batch_that_breaks_a_step_leaves_no_trace_in_batch_norm(train, new_network):
    """An overflow in one batch of two: that step is skipped, and the network answers as ever."""
    network, calls = new_network(), []
    standardize = network.standardize
    network.standardize = lambda crops: standardize(crops) * (calls.append(0) or (1e38 if len(calls) == 1 else 1.0))
    fitted = train(network, num_epochs=1, on_non_finite="skip")
    assert fitted.num_skipped == 1
    assert fitted.trajectory["loss_total"].isna().tolist() == [True, False]
    for name, value in network.state_dict().items():
        assert torch.isfinite(value).all(), name


def test_the_state_and_the_batch_of_a_step_without_a_number_are_kept(tmp_path, train, new_network):
    network = new_network()
    with torch.no_grad():
        network.heads["expression"][0].weight[0, 0] = math.nan
    with pytest.raises(NonFiniteLossError, match=r"The state before the step, and the batch, are in .*non_finite\.pt"):
        train(network, checkpoint_dir=tmp_path)
    kept = torch.load(tmp_path / "non_finite.pt", weights_only=True)
    assert len(kept["batch"]["crops"]) == len(kept["batch"]["files"]) == 4
    assert set(kept["state"]["modules"]) == {"network", "weighting", "task_losses"}


def test_a_dead_expression_head_is_told(caplog, train, new_network):
    network = new_network(heads={"expression": HiddenHeadParams(name="hidden", relu_on_logits=True)})
    with torch.no_grad():
        network.heads["expression"][2].bias.fill_(-100.0)
    with caplog.at_level(logging.WARNING):
        train(network)
    assert "stood at ln(2)" in caplog.text


def test_the_moving_average_is_that_of_the_weights_after_every_step(train, new_network):
    """Two steps: the average starts as the weights after the first, and goes half way to those after the second."""
    first, second = new_network(), new_network()
    train(first, num_epochs=1, optimizer=_constant(), batch_size=8)
    averaged = train(second, num_epochs=2, optimizer=_constant(), batch_size=8, ema_decay=0.5).averaged
    for name, value in averaged.named_parameters():
        half_way = (dict(first.named_parameters())[name] + dict(second.named_parameters())[name]) / 2
        torch.testing.assert_close(value, half_way, rtol=1e-4, atol=1e-6)
    for name, value in averaged.named_buffers():
        assert torch.equal(dict(second.named_buffers())[name], value), name


def test_no_moving_average_is_kept_unless_asked(train, new_network):
    assert train(new_network(), num_epochs=1).averaged is None


def test_the_rule_is_told_the_mean_losses_of_every_epoch(train, new_network):
    weighting = DwaWeighting(2, temperature=2.0)
    trajectory = train(new_network(), weighting).trajectory
    last = trajectory[trajectory["epoch"] == 1]
    expected = [last["loss_identity"].mean(), last["loss_expression"].mean()]
    assert weighting.last_losses.tolist() == pytest.approx(expected, rel=1e-5)
    assert not torch.equal(weighting.task_weights, torch.ones(2))


def test_no_epoch_leaves_the_network_as_it_starts(train, new_network):
    network = new_network()
    fitted = train(network, num_epochs=0)
    assert len(fitted.trajectory) == 0
    assert {"step", "weight_identity", "loss_expression"} <= set(fitted.trajectory)
    torch.testing.assert_close(network.state_dict(), new_network().state_dict(), rtol=0, atol=0)


def test_rates_by_epoch_are_followed(train, new_network):
    optimizer = load_params().train.optimizer.model_copy(update={"schedule": "0: 0.01\n1: 0.001"})
    trajectory = train(new_network(), optimizer=optimizer).trajectory
    assert trajectory.groupby("epoch")["learning_rate"].unique().tolist() == [[0.01], [0.001]]


@pytest.mark.parametrize("name", ["dynamic", "naive_dynamic", "uncertainty", "gradnorm", "upgrad", "rlw"])
def test_every_kind_of_rule_trains_in_bf16(train, new_network, name):
    network = new_network()
    weighting = {
        "dynamic": lambda: None,
        "naive_dynamic": lambda: NaiveDynamicWeighting(network.num_shared_features(80), 2, normalize_logits=True),
        "uncertainty": lambda: UncertaintyWeighting(2, initial_log_variance=-0.5),
        "gradnorm": lambda: GradNormWeighting(2, alpha=1.5),
        "upgrad": lambda: GradientRuleWeighting("upgrad"),
        "rlw": lambda: RlwWeighting(2),
    }[name]()
    trajectory = train(network, weighting, num_epochs=1, precision="bf16-mixed").trajectory
    assert np.isfinite(trajectory[["loss_total", "weight_identity", "grad_norm"]]).all(axis=None)


def test_a_rule_without_a_loss_leaves_its_cells_empty(train, new_network):
    trajectory = train(new_network(), FixedWeighting([1.0, 1.0])).trajectory
    assert trajectory["loss_weighting"].isna().all()
    assert "loss_weighting" not in final_losses(trajectory)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_trains_too(dataset, new_network, loss_params):
    network = new_network()
    params = load_params().train.model_copy(update={"num_epochs": 1, "batch_size": 4})
    training = Training(
        network, FixedWeighting([1.0, 1.0]), dataset, params, losses=loss_params("identity", "expression")
    )
    trajectory = fit(training, Execution(make_fabric("cuda"), load_params().compute)).trajectory
    assert np.isfinite(trajectory["loss_total"]).all()
    assert next(network.parameters()).is_cuda


def test_a_dead_head_is_told_in_batches_that_mostly_lack_its_label(caplog):
    losses = pd.Series([0.0, math.log(3), 0.0])
    _warn_if_stuck(losses, "expression", 3, epoch=1)
    assert "the expression loss stood at ln(3)" in caplog.text
    caplog.clear()
    _warn_if_stuck(pd.Series([0.0, 0.0]), "expression", 3, epoch=1)
    assert caplog.text == ""


def test_a_log_has_a_line_per_epoch(caplog, train, new_network):
    with caplog.at_level(logging.INFO):
        train(new_network())
    epochs = [message for message in caplog.messages if ": epoch " in message]
    assert [line.split(": identity loss")[0] for line in epochs] == ["train: epoch 1 of 2", "train: epoch 2 of 2"]


def test_the_cores_are_watched_at_each_step(train, new_network, monkeypatch):
    looks = []
    monkeypatch.setattr("dwmtl.training.core_watch.CoreWatch.look", lambda watch: looks.append(watch))
    fitted = train(new_network())
    assert len(looks) == len(fitted.trajectory) == 4
