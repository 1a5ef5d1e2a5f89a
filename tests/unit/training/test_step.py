import pytest
import torch
from torch.nn import functional

from dwmtl.errors import NonFiniteLossError
from dwmtl.network.network import FaceNetwork
from dwmtl.training.losses import NO_LABEL, CenterLoss
from dwmtl.training.optimizers import make_optimizer
from dwmtl.training.step import MultiTaskStep, set_gradients
from dwmtl.weighting.dynamic import DynamicWeighting
from dwmtl.weighting.fixed import FixedWeighting
from dwmtl.weighting.naive_dynamic import NaiveDynamicWeighting


def make_step(weighting=None, **changes) -> MultiTaskStep:
    torch.manual_seed(0)
    network = FaceNetwork(
        trunk="facelivenet",
        num_classes={"identity": 4, "expression": 3},
        dropout=0.0,
        batch_norm_momentum=0.1,
        linear_sigma=0.1,
        relu_on_expression_logits=False,
    ).eval()
    weighting = weighting or DynamicWeighting(1792, 2, normalize_logits=False, detach_weights=False, sigma=0.01)
    parameters = list(network.parameters()) + (list(weighting.parameters()) if weighting.trains_with_network else [])
    settings = {
        "center_loss": CenterLoss(4, 1792, alpha=0.5),
        "optimizer": make_optimizer("sgd", parameters, learning_rate=0.01),
        "weighting_optimizer": make_optimizer("sgd", weighting.parameters(), learning_rate=0.1)
        if type(weighting) is DynamicWeighting
        else None,
        "center_factor": 0.1,
        "clip_grad_norm": 5.0,
    }
    return MultiTaskStep(network=network, weighting=weighting, **{**settings, **changes})


CROPS = torch.randn(4, 3, 80, 80, generator=torch.Generator().manual_seed(1))
LABELS = {"identity": torch.tensor([0, 1, 2, 3]), "expression": torch.tensor([0, 1, 2, 0])}


def snapshot(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in module.named_parameters()}


def test_task_losses_equal_their_longhand_twin():
    step = make_step()
    step.center_loss.centers.normal_()
    output = step.network(CROPS)
    losses = step.task_losses(output, LABELS)
    identity = torch.zeros(())
    for i, y in enumerate(LABELS["identity"].tolist()):
        z = output.logits["identity"][i]
        center = 0.5 * ((output.embedding[i] - step.center_loss.centers[y]) ** 2).sum()
        identity = identity + (z.exp().sum().log() - z[y] + 0.1 * center) / 4
    torch.testing.assert_close(losses.values[0], identity)
    torch.testing.assert_close(
        losses.values[1], functional.cross_entropy(output.logits["expression"], LABELS["expression"])
    )


def test_the_total_loss_trains_the_network_and_nothing_of_the_unit():
    step = make_step(clip_grad_norm=1e9)
    before = snapshot(step.weighting)
    step.weighting_optimizer.param_groups[0]["lr"] = 0.0
    step(CROPS, LABELS)
    after = snapshot(step.weighting)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_weighting_loss_trains_the_unit_and_nothing_else():
    step = make_step()
    step.optimizer.param_groups[0]["lr"] = 0.0
    network, unit = snapshot(step.network), snapshot(step.weighting)
    step(CROPS, LABELS)
    assert all(torch.equal(network[name], value) for name, value in snapshot(step.network).items())
    assert all(not torch.equal(unit[name], value) for name, value in snapshot(step.weighting).items())


def test_detached_weights_change_exactly_the_trunks_gradient():
    gradients = {}
    for detach in (False, True):
        step = make_step(DynamicWeighting(1792, 2, normalize_logits=False, detach_weights=detach, sigma=0.01))
        torch.nn.init.normal_(step.weighting.unit.weight, std=3.0)
        output = step.network(CROPS)
        losses = step.task_losses(output, LABELS).values
        set_gradients(step.optimizer, (step.weighting(output.shared_features, losses) * losses).sum())
        gradients[detach] = {name: p.grad for name, p in step.network.named_parameters() if p.grad is not None}
    for name, gradient in gradients[False].items():
        difference = (gradient - gradients[True][name]).norm() / gradient.norm()
        assert (difference > 1e-4) == name.startswith("trunk"), name


def test_a_task_without_a_labelled_sample_counts_neither_in_the_total_nor_in_the_weighting_loss():
    labels = {**LABELS, "expression": torch.full((4,), NO_LABEL)}
    result = make_step()(CROPS, labels)
    assert result.task_weights.tolist() == [1, 0]
    assert result.total_loss.item() == pytest.approx(result.task_losses[0].item())
    assert result.weighting_loss.item() == pytest.approx(1 / (result.task_losses[0].item() + 0.01), rel=1e-5)


def test_centres_move_after_the_loss_is_read():
    step = make_step()
    first = step(CROPS, LABELS)
    assert first.center_loss.item() == pytest.approx(0.5)
    torch.testing.assert_close(step.center_loss.centers.norm(dim=1), torch.full((4,), 0.5))


def test_a_naive_unit_is_trained_by_the_total_loss():
    step = make_step(NaiveDynamicWeighting(1792, 2, normalize_logits=False))
    before = snapshot(step.weighting)
    result = step(CROPS, LABELS)
    assert result.weighting_loss is None
    assert all(not torch.equal(before[name], value) for name, value in snapshot(step.weighting).items())


def test_fixed_weights_give_a_fixed_sum():
    result = make_step(FixedWeighting([1.0, 3.0]))(CROPS, LABELS)
    expected = 0.25 * result.task_losses[0] + 0.75 * result.task_losses[1]
    assert result.total_loss.item() == pytest.approx(expected.item())


def test_gradients_are_clipped_to_their_global_norm():
    step = make_step(FixedWeighting([1.0, 1.0]), clip_grad_norm=1e-3)
    before = snapshot(step.network)
    result = step(CROPS, LABELS)
    assert result.grad_norm > 1e-3
    moved = sum(((before[name] - value) ** 2).sum() for name, value in snapshot(step.network).items()).sqrt()
    assert moved.item() == pytest.approx(0.01 * 1e-3, rel=0.05)


def test_a_gradient_that_is_no_number_is_not_applied():
    step = make_step(FixedWeighting([1.0, 1.0]))
    step.network.heads["expression"][0].weight.register_hook(lambda gradient: gradient * float("nan"))
    before = snapshot(step.network)
    with pytest.raises(NonFiniteLossError, match="the step was not applied"):
        step(CROPS, LABELS)
    assert all(torch.equal(before[name], value) for name, value in snapshot(step.network).items())


def test_the_check_comes_before_any_update():
    class Stop(Exception):
        pass

    def stop(task_losses):
        raise Stop

    step = make_step(check=stop)
    before = snapshot(step.network)
    with pytest.raises(Stop):
        step(CROPS, LABELS)
    assert all(torch.equal(before[name], value) for name, value in snapshot(step.network).items())
    assert not step.center_loss.centers.any()
