"""A step that keeps to what the network's start knew."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from dwmtl.training.losses import NO_LABEL
from dwmtl.training.step import MultiTaskStep
from dwmtl.weighting.fixed import FixedWeighting
from dwmtl.weighting.gradient_rule import GradientRuleWeighting

batch = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("batch.py"))))
CROPS, LABELS, seeded, snapshot = batch.CROPS, batch.LABELS, batch.seeded, batch.snapshot

SUM_AND_RULE = [FixedWeighting([1.0, 1.0]), GradientRuleWeighting("upgrad")]


@pytest.fixture(scope="module")
def make_keeping(make_step):
    """A step that keeps to the network as it was before its weights were shaken."""

    def make(weighting=None, **changes) -> MultiTaskStep:
        step = make_step(weighting or FixedWeighting([1.0, 1.0]), clip_grad_norm=1e9, keep=5.0, **changes)
        with torch.no_grad():
            for number, parameter in enumerate(step.network.parameters()):
                noise = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number))
                parameter.add_(0.1 * parameter.std(correction=0) * noise)
        return step

    return make


def test_the_keep_loss_is_one_minus_the_cosine_to_the_start_over_all_samples(make_keeping):
    step = make_keeping()
    labels = {**LABELS, "identity": torch.tensor([0, NO_LABEL, 1, NO_LABEL])}
    ours, start = step.network(CROPS).embedding, step.start(CROPS)
    cosines = [(a @ b / (a.norm() * b.norm())).item() for a, b in zip(ours, start, strict=True)]
    result = step(CROPS, labels, seeded())
    assert result.keep_loss.item() == pytest.approx(sum(1 - cosine for cosine in cosines) / 4, rel=1e-3)
    assert result.keep_loss.item() > 1e-4
    assert result.total_loss.item() == pytest.approx((0.5 * result.task_losses).sum().item())


@pytest.mark.parametrize("weighting", SUM_AND_RULE, ids=["sum", "rule"])
def test_keeping_adds_its_gradient_to_that_of_the_tasks(make_keeping, weighting):
    gradients = {}
    for keep in (0.0, 5.0):
        step = make_keeping(weighting)
        step.keep = keep
        step(CROPS, LABELS, seeded())
        gradients[keep] = {name: p.grad for name, p in step.network.named_parameters() if p.requires_grad}
    twin = make_keeping(weighting)
    cosines = functional.cosine_similarity(twin.network(CROPS).embedding, twin.start(CROPS))
    (5 * (1 - cosines).mean()).backward()
    for name, parameter in twin.network.named_parameters():
        if parameter.requires_grad:
            added = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            torch.testing.assert_close(
                gradients[5.0][name], gradients[0.0][name] + added, rtol=1e-3, atol=1e-5, msg=name
            )
        is_far = name.startswith(("branches.expression", "heads"))
        assert (parameter.grad is None) == is_far or not parameter.requires_grad, name


def test_nothing_is_lost_where_the_network_is_still_its_start(make_step):
    step = make_step(keep=5.0)
    assert step(CROPS, LABELS, seeded()).keep_loss.item() == 0
    assert step(CROPS, LABELS, seeded()).keep_loss.item() > 0


def test_the_frozen_start_stays_as_it_was(make_keeping):
    step = make_keeping()
    before = {name: value.clone() for name, value in step.start.state_dict().items()}
    step.network.set_training(frozen=set())
    step(CROPS, LABELS, seeded())
    torch.testing.assert_close(dict(step.start.state_dict()), before, rtol=0, atol=0)
    assert not any(p.requires_grad or p.grad is not None for p in step.start.parameters())


def test_the_frozen_start_runs_under_the_same_precision(make_step):
    step = make_step(keep=5.0, autocast=lambda: torch.autocast("cpu", dtype=torch.bfloat16))
    result = step(CROPS, LABELS, seeded())
    assert result.keep_loss.item() == 0  # the same roundings
    assert result.keep_loss.dtype == torch.float32


def test_a_compiled_step_keeps_as_an_eager_one(make_keeping):
    eager, compiled = make_keeping(), make_keeping()
    compiled.compile("aot_eager")
    ours, theirs = compiled(CROPS, LABELS, seeded()), eager(CROPS, LABELS, seeded())
    torch.testing.assert_close(ours.keep_loss, theirs.keep_loss, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(snapshot(compiled.network), snapshot(eager.network), rtol=1e-3, atol=1e-4)
