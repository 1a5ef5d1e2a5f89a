import logging
import math

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from dwmtl.crops.aligned import read_crop
from dwmtl.errors import NonFiniteLossError, ProtocolError
from dwmtl.network.params import HiddenHeadParams
from dwmtl.params import load_params
from dwmtl.training.compute import Execution, make_fabric
from dwmtl.training.crops import CropDataset, ShuffledBatches, balanced_weights
from dwmtl.training.loop import _warn_if_stuck, fit
from dwmtl.training.losses import NO_LABEL
from dwmtl.training.params import OptimizerParams
from dwmtl.training.training import Training
from dwmtl.training.trajectory import epoch_summary, final_losses
from dwmtl.training.validation import Validation, is_better
from dwmtl.weighting.dwa import DwaWeighting
from dwmtl.weighting.dynamic import DynamicWeighting
from dwmtl.weighting.fixed import FixedWeighting
from dwmtl.weighting.gradient_rule import GradientRuleWeighting
from dwmtl.weighting.gradnorm import GradNormWeighting
from dwmtl.weighting.naive_dynamic import NaiveDynamicWeighting
from dwmtl.weighting.params import UnitParams
from dwmtl.weighting.rlw import RlwWeighting
from dwmtl.weighting.uncertainty import UncertaintyWeighting

NUM_FEATURES = 96 * 3 * 3
"""Of the trunk for a crop of 80 px."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> CropDataset:
    """Ten noisy crops: an identity is red or blue, an expression bright above or below."""
    folder, noise = tmp_path_factory.mktemp("crops"), np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(10)]
    for number, path in enumerate(paths):
        crop = noise.integers(0, 56, (80, 80, 3), dtype=np.uint8)
        crop[..., 2 * (number % 2)] += 90
        crop[40 * (number // 5) :][:40] += 100
        Image.fromarray(crop).save(path)
    return CropDataset(paths, {"identity": np.arange(10) % 2, "expression": np.arange(10) // 5})


def _has_a_loss(weighting) -> bool:
    return type(weighting) in (DynamicWeighting, GradNormWeighting)


def _constant() -> OptimizerParams:
    return load_params().train.optimizer.model_copy(update={"schedule": "constant"})


@pytest.fixture(scope="module")
def new_network(make_network):
    def new(**changes):
        settings = {"trunk": "timm:test_resnet", "dropout": 0.5, "linear_sigma": 0.1}
        return make_network({"identity": 2, "expression": 2}, **{**settings, **changes})

    return new


@pytest.fixture(scope="module")
def train(dataset, loss_params):
    def run(network, weighting=None, *, facts=None, validation=None, compute=(), **changes):
        """`checkpoint_dir` and `on_step` go to the execution, other words to the params."""
        how = {name: changes.pop(name) for name in ("checkpoint_dir", "on_step") if name in changes}
        torch.manual_seed(0)
        weighting = weighting or DynamicWeighting(
            NUM_FEATURES, 2, normalize_logits=True, detach_weights=False, sigma=0.01
        )
        params = load_params().train.model_copy(update={"num_epochs": 2, "batch_size": 4, **changes})
        training = Training(
            network,
            weighting,
            dataset,
            params,
            losses=loss_params("identity", "expression"),
            weighting_optimizer=UnitParams(optimizer="sgd", learning_rate=0.5) if _has_a_loss(weighting) else None,
            validation=validation,
            keep=params.keep,
            learning_rate_factors=params.learning_rate_factors,
            freeze=params.freeze,
            balanced_task=params.balanced_task,
            facts=facts,
        )
        fabric = make_fabric("cpu", precision=params.precision)
        compute = load_params().compute.model_copy(update=dict(compute))
        return fit(training, Execution(fabric, compute, **how))

    return run


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


def test_a_step_that_gives_no_number_is_skipped_and_counted_where_params_say_so(train, new_network):
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


def test_the_best_epoch_is_that_of_the_highest_accuracy_then_of_the_lowest_loss(dataset, train, new_network):
    held_out = CropDataset(dataset.paths[4:], {"expression": np.arange(4, 10) // 5})
    network = new_network()
    fitted = train(network, num_epochs=4, validation=Validation(held_out, batch_size=4))
    table = fitted.validation
    assert table["epoch"].tolist() == [0, 1, 2, 3]
    ranked = table.sort_values(["accuracy", "loss", "epoch"], ascending=[False, True, True])
    assert fitted.best_epoch == ranked["epoch"].iloc[0]
    again = Validation(held_out, batch_size=6).score(fitted.best, torch.device("cpu"))
    assert again["accuracy"] == pytest.approx(ranked["accuracy"].iloc[0], abs=1e-6)
    assert again["loss"] == pytest.approx(ranked["loss"].iloc[0], rel=1e-4)


def test_looking_at_validation_subjects_changes_no_training(dataset, train, new_network):
    held_out = Validation(CropDataset(dataset.paths[4:], {"expression": np.arange(4, 10) // 5}), batch_size=4)
    plain, watched = new_network(), new_network()
    assert train(plain).trajectory.equals(train(watched, validation=held_out).trajectory)
    torch.testing.assert_close(plain.state_dict(), watched.state_dict(), rtol=0, atol=0)


def test_of_equal_epochs_the_first_is_best():
    row = {"accuracy": 0.5, "loss": 1.0}
    assert not is_better(dict(row), row)
    assert is_better({**row, "loss": 0.9}, row)
    assert is_better({"accuracy": 0.6, "loss": 9.0}, row)
    assert is_better(row, {"accuracy": 0.5, "loss": math.nan})
    assert not is_better({"accuracy": 0.5, "loss": math.nan}, row)


def test_crops_kept_in_memory_train_the_same(train, new_network):
    first, second = new_network(), new_network()
    from_files = train(first, compute={"crop_cache_gib": 0.0}).trajectory  # each training asks anew what is kept
    assert from_files.equals(train(second, compute={"crop_cache_gib": 1.0}).trajectory)


def test_crops_are_kept_only_where_all_fit(dataset):
    fresh = CropDataset(dataset.paths, {"identity": np.zeros(10)})
    assert not fresh.keep_in_memory(10 * 80 * 80 * 3 - 1, is_shared=False)
    assert fresh.keep_in_memory(10 * 80 * 80 * 3, is_shared=True)
    for _ in range(2):  # decoded, and from memory
        assert np.array_equal(fresh[3][0].permute(1, 2, 0).numpy(), read_crop(dataset.paths[3]))


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
    weighting = {
        "dynamic": lambda: None,
        "naive_dynamic": lambda: NaiveDynamicWeighting(NUM_FEATURES, 2, normalize_logits=True),
        "uncertainty": lambda: UncertaintyWeighting(2, initial_log_variance=-0.5),
        "gradnorm": lambda: GradNormWeighting(2, alpha=1.5),
        "upgrad": lambda: GradientRuleWeighting("upgrad"),
        "rlw": lambda: RlwWeighting(2),
    }[name]()
    trajectory = train(new_network(), weighting, num_epochs=1, precision="bf16-mixed").trajectory
    assert np.isfinite(trajectory[["loss_total", "weight_identity", "grad_norm"]]).all(axis=None)


def test_a_rule_without_a_loss_leaves_its_cells_empty(train, new_network):
    trajectory = train(new_network(), FixedWeighting([1.0, 1.0])).trajectory
    assert trajectory["loss_weighting"].isna().all()
    assert "loss_weighting" not in final_losses(trajectory)


def test_an_epochs_order_depends_on_the_seed_and_the_epoch_alone(dataset):
    batches = ShuffledBatches(dataset, batch_size=4, seed=3, num_workers=0, pin_memory=False)

    def indices(epoch):
        return torch.cat([batch[2] for batch in batches.epoch(epoch)]).tolist()

    assert indices(1) == indices(1)
    assert indices(0) != indices(1)
    assert len(set(indices(0))) == 8  # two of ten are left over by batches of four


def test_a_set_smaller_than_a_batch_is_one_batch(dataset):
    assert ShuffledBatches(dataset, batch_size=64, seed=0, num_workers=0, pin_memory=False).batch_size == 10


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


def test_a_crop_is_read_as_it_was_written(dataset):
    crop, labels, index = dataset[3]
    assert np.array_equal(crop.permute(1, 2, 0).numpy(), read_crop(dataset.paths[3]))
    assert {task: int(label) for task, label in labels.items()} == {"identity": 1, "expression": 0}
    assert index == 3


def test_a_dead_head_is_told_in_batches_that_mostly_lack_its_label(caplog):
    losses = pd.Series([0.0, math.log(3), 0.0])
    _warn_if_stuck(losses, "expression", 3, epoch=1)
    assert "the expression loss stood at ln(3)" in caplog.text
    caplog.clear()
    _warn_if_stuck(pd.Series([0.0, 0.0]), "expression", 3, epoch=1)
    assert caplog.text == ""


def test_the_last_losses_are_those_of_steps_with_a_label():
    trajectory = pd.DataFrame(
        {"epoch": [0, 1, 1], "loss_hat": [9.0, 0.0, 2.0], "weight_hat": [1.0, 0.0, 0.5], "center_loss": 0.25}
    )
    assert final_losses(trajectory) == {"loss_hat": 2.0, "weight_hat": 0.25, "center_loss": 0.25}


def test_a_total_loss_below_zero_counts_in_the_last_losses():
    """Under a rule whose weights may be negative."""
    trajectory = pd.DataFrame({"epoch": 0, "loss_hat": 2.0, "loss_total": [1.0, -3.0], "weight_hat": [0.5, -1.5]})
    assert final_losses(trajectory) == {"loss_hat": 2.0, "loss_total": -1.0, "weight_hat": -0.5}


def test_an_epoch_is_a_line_with_its_mean_losses_and_weights():
    rows = pd.DataFrame({"epoch": [1, 1], "loss_hat": [0.0, 2.0], "weight_hat": [0.2, 0.4]})
    assert epoch_summary(rows, ("hat",), {}) == "hat loss 2.000 (weight 0.30)"
    assert epoch_summary(rows, ("hat",), {"accuracy": 0.5}).endswith(", accuracy on validation subjects 50.0%")


def test_a_log_has_a_line_per_epoch(caplog, train, new_network):
    with caplog.at_level(logging.INFO):
        train(new_network())
    epochs = [message for message in caplog.messages if ": epoch " in message]
    assert [line.split(": identity loss")[0] for line in epochs] == ["train: epoch 1 of 2", "train: epoch 2 of 2"]


def test_a_training_of_other_facts_starts_anew(tmp_path, train, new_network, caplog):
    def train_with(margin_px: int, **options) -> None:
        caplog.clear()
        with caplog.at_level(logging.INFO):
            train(new_network(), facts={"margin_px": margin_px}, checkpoint_dir=tmp_path, **options)

    train_with(14, compute={"checkpoint_interval_s": 0.0})
    train_with(14)
    assert "resuming from" in caplog.text
    train_with(20)
    assert "was written for other parameters" in caplog.text


def test_a_training_resumes_in_the_precision_that_auto_became_and_in_no_other(
    tmp_path, train, new_network, caplog, monkeypatch
):
    def train_in(precision: str, capabilities: dict[str, bool]) -> None:
        caplog.clear()
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
        with caplog.at_level(logging.INFO):
            train(new_network(), precision=precision, checkpoint_dir=tmp_path, compute={"checkpoint_interval_s": 0.0})

    train_in("auto", {})
    train_in("32-true", {})
    assert "resuming from" in caplog.text
    train_in("auto", {"avx512_bf16": True})
    assert "was written for other parameters" in caplog.text


RULES = {
    "dwa": lambda: DwaWeighting(2, temperature=2.0),
    "gradnorm": lambda: GradNormWeighting(2, alpha=1.5),
    "uncertainty": lambda: UncertaintyWeighting(2, initial_log_variance=-0.5),
    "rlw": lambda: RlwWeighting(2),
}


class Halted(Exception):
    pass


def halt(row: dict[str, float]) -> None:
    if row["step"] == 3:
        raise Halted


@pytest.mark.parametrize("name", RULES)
def test_every_kind_of_rule_goes_on_as_if_nothing_had_been(tmp_path, train, new_network, name):
    whole, halted, resumed = new_network(), new_network(), new_network()
    changes = {"num_epochs": 3, "ema_decay": 0.9}
    expected = train(whole, RULES[name](), **changes)
    often = {"checkpoint_interval_s": 0.0}
    with pytest.raises(Halted):
        train(halted, RULES[name](), checkpoint_dir=tmp_path, on_step=halt, compute=often, **changes)
    fitted = train(resumed, RULES[name](), checkpoint_dir=tmp_path, **changes)
    assert fitted.trajectory.equals(expected.trajectory)
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(fitted.averaged.state_dict(), expected.averaged.state_dict(), rtol=0, atol=0)


def test_keeping_and_balancing_resume_as_if_nothing_had_been(tmp_path, train, new_network):
    whole, halted, resumed = new_network(), new_network(), new_network()
    changes = {"num_epochs": 3, "keep": 5.0, "balanced_task": "expression", "freeze": {"trunk": 2}}
    changes |= {"learning_rate_factors": {"trunk": 0.1, "heads": 10.0}}
    expected = train(whole, **changes)
    with pytest.raises(Halted):
        train(halted, checkpoint_dir=tmp_path, on_step=halt, compute={"checkpoint_interval_s": 0.0}, **changes)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["state"]
    assert set(saved["modules"]) == {"network", "weighting", "task_losses"}  # the frozen start is not saved
    fitted = train(resumed, checkpoint_dir=tmp_path, **changes)
    assert fitted.trajectory.equals(expected.trajectory)
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(
    "changes",
    [{"keep": 4.0}, {"learning_rate_factors": {"trunk": 0.2}}, {"freeze": {"heads": 1}}, {"balanced_task": "identity"}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_training_that_fine_tunes_otherwise_starts_anew(tmp_path, train, new_network, caplog, changes):
    before = {"keep": 5.0, "learning_rate_factors": {"trunk": 0.1}, "num_epochs": 3}
    with pytest.raises(Halted):
        train(new_network(), checkpoint_dir=tmp_path, on_step=halt, compute={"checkpoint_interval_s": 0.0}, **before)
    with pytest.raises(Halted):
        train(new_network(), checkpoint_dir=tmp_path, on_step=halt, **before | changes)
    assert "was written for other parameters, data or code; starting over" in caplog.text


def test_the_keep_loss_has_a_column_where_there_is_one(train, new_network):
    kept = train(new_network(dropout=0.0), keep=5.0, num_epochs=3).trajectory
    assert kept["keep_loss"].notna().all()
    assert kept["keep_loss"].iloc[-1] > 0
    assert final_losses(kept)["keep_loss"] == pytest.approx(kept["keep_loss"].iloc[-2:].mean(), abs=1e-6)
    assert "keep_loss" not in train(new_network(), num_epochs=1).trajectory


def test_a_greater_weight_keeps_the_embedding_nearer_to_the_start(train, new_network):
    moved = {}
    for keep in (0.01, 50.0):
        trajectory = train(new_network(dropout=0.0), keep=keep, num_epochs=8).trajectory
        moved[keep] = trajectory["keep_loss"].iloc[-4:].mean()
    assert moved[50.0] < 0.75 * moved[0.01]


def test_frozen_parts_train_from_their_epoch_on_and_keep_their_statistics_until_then(train, new_network):
    network, start = new_network(), new_network().state_dict()
    snapshots = []
    train(
        network,
        num_epochs=3,
        freeze={"trunk": 2, "branches": 1, "heads.identity": None},
        on_step=lambda row: snapshots.append({name: value.clone() for name, value in network.state_dict().items()}),
    )

    def moved(step, part):
        return any(
            not torch.equal(value, start[name]) for name, value in snapshots[step].items() if name.startswith(part)
        )

    parts = ("trunk", "branches.identity", "branches.expression", "heads.identity", "heads.expression")
    by_epoch = [[part for part in parts if moved(2 * epoch + 1, part)] for epoch in range(3)]
    assert by_epoch == [
        ["heads.expression"],
        ["branches.identity", "branches.expression", "heads.expression"],
        ["trunk", "branches.identity", "branches.expression", "heads.expression"],
    ]


def test_a_slow_trunk_moves_less_and_a_fast_head_more(train, new_network):
    moved = {}
    for factors in ({}, {"trunk": 0.1, "heads": 2.0, "heads.identity": 0.5}):
        network, before = new_network(), dict(new_network().named_parameters())
        optimizer = _constant().model_copy(update={"name": "sgd", "weight_decay": 0.0, "learning_rate": 0.1})
        train(network, num_epochs=1, batch_size=10, learning_rate_factors=factors, optimizer=optimizer)  # one step
        moved[bool(factors)] = {name: (p - before[name]).norm() for name, p in network.named_parameters()}
    for name, distance in moved[False].items():
        factor = 0.1 if name.startswith("trunk") else 1.0
        factor = {"heads.identity": 0.5, "heads.expression": 2.0}.get(".".join(name.split(".")[:2]), factor)
        if distance > 1e-3:  # else the rounding of the weights themselves
            assert (moved[True][name] / distance).item() == pytest.approx(factor, rel=0.05), name


def test_balanced_epochs_draw_each_class_alike_often_and_unlabelled_samples_as_they_are(dataset):
    classes = torch.tensor([0] * 70 + [1] * 20 + [2] * 10 + [NO_LABEL] * 50)
    weights = balanced_weights(classes)
    share = [float(weights[classes == kind].sum() / weights.sum()) for kind in (0, 1, 2, NO_LABEL)]
    assert share == pytest.approx([2 / 9, 2 / 9, 2 / 9, 1 / 3])
    rare = torch.tensor([1] + [0] * 9)
    batches = ShuffledBatches(dataset, batch_size=5, seed=3, num_workers=0, pin_memory=False, balanced=rare)
    epochs = [torch.cat([batch[2] for batch in batches.epoch(epoch)]) for epoch in [*range(40), 7]]
    assert torch.equal(epochs[7], epochs[-1])
    assert not torch.equal(epochs[0], epochs[1])
    drawn = torch.cat(epochs[:40])
    assert (drawn == 0).float().mean().item() == pytest.approx(0.5, abs=0.08)


def test_fewer_crops_than_processes_are_told():
    nothing = CropDataset([], {"identity": np.zeros(0)})
    with pytest.raises(ProtocolError, match="0 crops to train on, and 1 processes"):
        ShuffledBatches(nothing, batch_size=4, seed=0, num_workers=0, pin_memory=False)


def test_the_cores_are_watched_at_each_step(train, new_network, monkeypatch):
    looks = []
    monkeypatch.setattr("dwmtl.training.cores.CoreWatch.look", lambda watch: looks.append(watch))
    fitted = train(new_network())
    assert len(looks) == len(fitted.trajectory) == 4
