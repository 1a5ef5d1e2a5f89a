"""What is taken from the rows of the steps."""

import pandas as pd

from dwmtl.training.trajectory import epoch_summary, final_losses


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
