"""The sections `tasks` and `train`, each value by itself."""

import pytest

from dwmtl.errors import ParamsError
from dwmtl.params import load_params


@pytest.mark.parametrize("head", [{"name": "arcface", "margin_deg": 20.0, "scale": 30.0}, {"name": "adaface"}])
def test_smoothing_under_a_margin_is_refused(write_params, head):
    loss = {"label_smoothing": 0.1, "center_factor": 0.0, "center_alpha": 0.5}
    with pytest.raises(ParamsError, match="label_smoothing must be 0 under a margin"):
        load_params(write_params({"tasks.identity.head": head, "tasks.identity.loss": loss}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("linear", "Got 'linear' in line 1"),
        ("0: 0.1\nfive: 0.01", "Got 'five: 0.01' in line 2"),
        ("0: 0.1\n0: 0.2", "Got epoch 0 again in line 2"),
        ("1: 0.1", "must have a rate for epoch 0"),
        ("0: -1", "Got '0: -1' in line 1"),
        ("", "must have a rate for epoch 0"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_told(write_params, text, message):
    with pytest.raises(ParamsError, match=message):
        load_params(write_params({"train.optimizer.schedule": text}))
