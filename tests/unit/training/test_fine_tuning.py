"""Trainings that keep to their start, freeze parts of the network, or train parts at rates of their own."""

import pytest
import torch

from dwmtl.training.params import OptimizerParams
from dwmtl.training.trajectory import final_losses


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
        optimizer = OptimizerParams(name="sgd", learning_rate=0.1, weight_decay=0.0, schedule="constant")
        train(network, num_epochs=1, batch_size=10, learning_rate_factors=factors, optimizer=optimizer)  # one step
        moved[bool(factors)] = {name: (p - before[name]).norm() for name, p in network.named_parameters()}
    for name, distance in moved[False].items():
        factor = 0.1 if name.startswith("trunk") else 1.0
        factor = {"heads.identity": 0.5, "heads.expression": 2.0}.get(".".join(name.split(".")[:2]), factor)
        if distance > 1e-3:  # else the rounding of the weights themselves
            assert (moved[True][name] / distance).item() == pytest.approx(factor, rel=0.05), name
