"""A halted training resumes as if nothing had been, for everything that has a state; another training starts anew."""

import logging

import pytest
import torch

from dwmtl.weighting.dwa import DwaWeighting
from dwmtl.weighting.gradnorm import GradNormWeighting
from dwmtl.weighting.rlw import RlwWeighting
from dwmtl.weighting.uncertainty import UncertaintyWeighting


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
