"""Subjects that are not trained on but choose the best epoch."""

import math

import numpy as np
import pytest
import torch

from dwmtl.training.crops import CropDataset
from dwmtl.training.validation import Validation, is_better


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
