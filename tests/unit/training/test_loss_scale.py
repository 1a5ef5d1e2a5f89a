"""Float16 with scaled losses. CPUs have it too, slower: here it runs without a GPU."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from dwmtl.errors import NonFiniteLossError, ParamsError
from dwmtl.network.network import FaceNetwork
from dwmtl.params import load_params
from dwmtl.training.compute import make_fabric, precision_facts, precision_of
from dwmtl.training.loss_scale import GradientOverflowError, LossScale
from dwmtl.training.losses import task_losses_of
from dwmtl.training.optimizers import make_optimizer
from dwmtl.training.state import TrainingState
from dwmtl.training.step import MultiTaskStep
from dwmtl.weighting.by_name import make_weighting
from dwmtl.weighting.params import UnitParams, weighting_params

batch = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("batch.py"))))
CROPS, LABELS = batch.CROPS, batch.LABELS


def float16() -> torch.autocast:
    return torch.autocast("cpu", torch.float16)


def make_step(name: str = "dynamic", **settings) -> MultiTaskStep:
    torch.manual_seed(0)
    params = load_params()
    body = params.network.model_copy(update={"trunk": "timm:test_resnet", "dropout": 0.0})
    tasks = ("identity", "expression")
    network = FaceNetwork(body, {t: params.tasks[t].head for t in tasks}, {"identity": 4, "expression": 3})
    section = weighting_params(name)
    weighting = make_weighting(
        section, num_features=network.num_shared_features(80), chance_losses=network.chance_losses
    )
    return MultiTaskStep(
        network=network,
        weighting=weighting,
        task_losses_of=task_losses_of(network, {task: params.tasks[task].loss for task in tasks}),
        optimizer=make_optimizer(
            "sgd",
            network.parameters(),
            learning_rate=0.01,
            undecayed=weighting.parameters() if weighting.trains_with_network else (),
        ),
        weighting_optimizer=make_optimizer("sgd", weighting.parameters(), learning_rate=0.1)
        if isinstance(section, UnitParams)
        else None,
        clip_grad_norm=5.0,
        **settings,
    )


def run(step: MultiTaskStep, num_steps: int = 2) -> list[torch.Tensor]:
    """Parameters and buffers after some steps, and what these recorded."""
    results = [step(CROPS, LABELS, torch.Generator().manual_seed(number)) for number in range(num_steps)]
    numbers = [value for result in results for value in (result.task_losses, result.task_weights, result.grad_norm)]
    return [*step.network.state_dict().values(), *step.weighting.state_dict().values(), *numbers]


@pytest.mark.parametrize("name", ["dynamic", "gradnorm", "upgrad"])
def test_in_float32_a_step_under_a_scale_is_the_step_without_bit_for_bit(name):
    """Clipping, and rules on the gradients, see those of the losses: a power of two changes no digit."""
    with_scale, without = run(make_step(name, loss_scale=LossScale())), run(make_step(name))
    assert all(torch.equal(a, b) for a, b in zip(with_scale, without, strict=True))


@pytest.mark.parametrize("name", ["dynamic", "upgrad"])
def test_a_step_that_overflows_is_repeated_until_it_is_the_step_without_a_scale(name):
    scale = LossScale()
    step = make_step(name, loss_scale=scale)
    weight = next(step.network.trunk.parameters())
    weight.register_hook(lambda gradient: gradient * (torch.inf if scale.value > 2.0**14 else 1))
    assert all(torch.equal(a, b) for a, b in zip(run(step), run(make_step(name)), strict=True))
    assert (scale.value, int(scale.num_steps)) == (2.0**14, 2)


def test_in_float16_a_scale_that_is_too_large_falls_until_the_gradient_is_right():
    scale = LossScale()
    scale.scale.fill_(2.0**22)  # float16 ends at 65,504
    expected, step = make_step(), make_step(autocast=float16, loss_scale=scale)
    *_, norm = run(step, 1)
    assert 1 < scale.value < 2.0**22
    torch.testing.assert_close(norm, run(expected, 1)[-1], rtol=0.05, atol=0)
    for key, value in expected.network.named_buffers():  # batch norm's statistics moved once
        torch.testing.assert_close(step.network.get_buffer(key), value, rtol=0.02, atol=0.02, msg=key)


def test_small_gradients_are_kept_by_the_scale_and_lost_without():
    losses = [make_step(autocast=float16, loss_scale=scale) for scale in (LossScale(), None)]
    kept, lost = (small_gradients(step) for step in losses)
    assert kept > 0.9
    assert lost < 0.1


def small_gradients(step: MultiTaskStep) -> float:
    """Share of a layer's gradients that are not 0, of losses of a millionth."""
    for loss in step.task_losses_of.values():
        loss.register_forward_hook(lambda module, args, values: tuple(value * 1e-7 for value in values))
    step.optimizer.param_groups[0]["lr"] = 0.0
    step(CROPS, LABELS, torch.Generator())
    gradient = next(step.network.trunk.parameters()).grad
    return (gradient != 0).float().mean().item()


def test_the_scale_doubles_after_two_thousand_steps_and_halves_down_to_one():
    scale, generator = LossScale(), torch.Generator()
    for _ in range(1999):
        scale.run(lambda: None, generator=generator, buffers=[])
    assert scale.value == 2.0**16
    scale.run(lambda: None, generator=generator, buffers=[])
    assert scale.value == 2.0**17
    overflows = iter([True] * 17 + [False])

    def step() -> None:
        if next(overflows):
            assert scale.can_fall
            raise GradientOverflowError

    scale.run(step, generator=generator, buffers=[])
    assert scale.value == 1
    assert not scale.can_fall


def test_a_repetition_draws_the_same_and_finds_the_buffers_as_they_were():
    generator, buffer, drawn = torch.Generator().manual_seed(0), torch.zeros(1), []

    def step() -> None:
        assert buffer == 0
        buffer.add_(1)
        drawn.append(torch.rand(1, generator=generator))
        if len(drawn) < 3:
            raise GradientOverflowError

    LossScale().run(step, generator=generator, buffers=[buffer])
    assert drawn[0] == drawn[1] == drawn[2]
    assert buffer == 1


def test_a_gradient_that_no_scale_makes_finite_is_an_error():
    step = make_step(loss_scale=LossScale())
    weight = next(step.network.trunk.parameters())
    weight.register_hook(lambda gradient: gradient * torch.inf)
    before = weight.detach().clone()
    with pytest.raises(NonFiniteLossError, match="set precision to 32-true"):
        step(CROPS, LABELS, torch.Generator())
    assert step.loss_scale.value == 1
    assert torch.equal(weight, before)


def test_a_checkpoint_holds_the_scale():
    one, two = (TrainingState(make_step(loss_scale=LossScale()), None) for _ in range(2))
    one.step.loss_scale.scale.fill_(8.0)
    one.step.loss_scale.num_steps.fill_(5)
    two.load_state_dict(one.state_dict())
    assert (two.step.loss_scale.value, int(two.step.loss_scale.num_steps)) == (8.0, 5)


@pytest.mark.parametrize(
    ("has_bf16", "capability", "precision", "reason"),
    [
        (True, (8, 0), "bf16-mixed", "the GPU has bf16"),
        (False, (7, 5), "16-mixed", "the GPU has tensor cores and no bf16"),
        (False, (6, 1), "32-true", "the GPU has neither bf16 nor tensor cores"),
    ],
)
def test_auto_on_a_gpu_is_what_it_multiplies_fast(monkeypatch, has_bf16, capability, precision, reason):
    from dwmtl.device import fastest_precision, training_precision

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_bf16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert training_precision("cuda") == (precision, reason)
    assert fastest_precision("cuda")[0] == ("bf16-mixed" if has_bf16 else "32-true")  # without a scale


def test_float16_on_a_cpu_is_refused():
    with pytest.raises(ParamsError, match="precision is 16-mixed, which needs a CUDA device"):
        make_fabric("cpu", precision="16-mixed")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_trains_in_float16():
    fabric = make_fabric("cuda", precision="16-mixed")
    assert precision_of(fabric) == "16-mixed"
    assert precision_facts(fabric, asked="16-mixed")["precision_reason"] == "params.yaml asks for it"
    step = make_step(autocast=fabric.autocast, loss_scale=LossScale())
    for module in (step.network, step.weighting, step.task_losses_of):
        module.to(fabric.device)
    labels = {task: values.to(fabric.device) for task, values in LABELS.items()}
    result = step(CROPS.to(fabric.device), labels, torch.Generator())
    assert torch.isfinite(result.grad_norm)
