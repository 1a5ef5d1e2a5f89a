import copy
import math
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional

from dwmtl.errors import NonFiniteLossError
from dwmtl.network.adaface_head import AdaFaceHead
from dwmtl.network.kinds import make_kind
from dwmtl.network.params import AdaFaceHeadParams, MultiLabelLossParams, RegressionLossParams
from dwmtl.training.gradients import set_gradients
from dwmtl.training.losses import NO_LABEL, task_losses_of
from dwmtl.training.optimizers import make_optimizer
from dwmtl.training.step import MultiTaskStep
from dwmtl.weighting.dynamic import DynamicWeighting
from dwmtl.weighting.famo import FamoWeighting
from dwmtl.weighting.fixed import FixedWeighting
from dwmtl.weighting.gradient_rule import GradientRuleWeighting
from dwmtl.weighting.gradnorm import GradNormWeighting
from dwmtl.weighting.gradvac import GradVacWeighting
from dwmtl.weighting.jacobian_rule import JacobianRuleWeighting
from dwmtl.weighting.naive_dynamic import NaiveDynamicWeighting
from dwmtl.weighting.uncertainty import UncertaintyWeighting
from dwmtl.weighting.weighting import WeightingInput

batch = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("batch.py"))))
CROPS, LABELS, seeded, snapshot = batch.CROPS, batch.LABELS, batch.seeded, batch.snapshot

SUM_AND_RULE = [FixedWeighting([1.0, 1.0]), GradientRuleWeighting("upgrad")]


def test_task_losses_equal_their_longhand_twin(make_step):
    step = make_step()
    step.task_losses_of["identity"].center.centers.normal_()
    output = step.network(CROPS)
    losses = step.task_losses(output, LABELS)
    identity = torch.zeros(())
    for i, y in enumerate(LABELS["identity"].tolist()):
        z = output.logits["identity"][i]
        center = 0.5 * ((output.embedding[i] - step.task_losses_of["identity"].center.centers[y]) ** 2).sum()
        identity = identity + (z.exp().sum().log() - z[y] + 0.1 * center) / 4
    torch.testing.assert_close(losses.values[0], identity)
    torch.testing.assert_close(
        losses.values[1], functional.cross_entropy(output.logits["expression"], LABELS["expression"])
    )


def test_the_total_loss_trains_the_network_and_nothing_of_the_unit(make_step):
    step = make_step(clip_grad_norm=1e9)
    network, unit = snapshot(step.network), snapshot(step.weighting)
    step.weighting_optimizer.param_groups[0]["lr"] = 0.0
    step(CROPS, LABELS, seeded())
    assert all(torch.equal(unit[name], value) for name, value in snapshot(step.weighting).items())
    trained = {name for name, value in snapshot(step.network).items() if not torch.equal(network[name], value)}
    assert {name.partition(".")[0] for name in trained} == {"trunk", "branches", "heads"}


def test_the_weighting_loss_trains_the_unit_and_nothing_else(make_step):
    step = make_step()
    step.optimizer.param_groups[0]["lr"] = 0.0
    network, unit = snapshot(step.network), snapshot(step.weighting)
    step(CROPS, LABELS, seeded())
    assert all(torch.equal(network[name], value) for name, value in snapshot(step.network).items())
    assert all(not torch.equal(unit[name], value) for name, value in snapshot(step.weighting).items())


def test_detached_weights_change_exactly_the_trunks_gradient(make_step):
    gradients = {}
    for detach in (False, True):
        step = make_step(DynamicWeighting(1792, 2, normalize_logits=False, detach_weights=detach, sigma=0.01))
        torch.nn.init.normal_(step.weighting.unit.weight, std=3.0)
        output = step.network(CROPS)
        losses = step.task_losses(output, LABELS)
        weights = step.weighting.weigh(
            WeightingInput(output.shared_features, losses.values, losses.has_label, seeded())
        )
        set_gradients(step.optimizer, (weights * losses.values).sum())
        gradients[detach] = {name: p.grad for name, p in step.network.named_parameters() if p.grad is not None}
    for name, gradient in gradients[False].items():
        difference = (gradient - gradients[True][name]).norm() / gradient.norm()
        assert (difference > 1e-4) == name.startswith("trunk"), name


def test_a_task_without_a_labelled_sample_counts_neither_in_the_total_nor_in_the_weighting_loss(make_step):
    labels = {**LABELS, "expression": torch.full((4,), NO_LABEL)}
    result = make_step()(CROPS, labels, seeded())
    assert result.task_weights.tolist() == [1, 0]
    assert result.total_loss.item() == pytest.approx(result.task_losses[0].item())
    assert result.weighting_loss.item() == pytest.approx(1 / (result.task_losses[0].item() + 0.01), rel=1e-5)


def test_centres_move_after_the_loss_is_read(make_step):
    step = make_step()
    first = step(CROPS, LABELS, seeded())
    assert first.center_loss.item() == pytest.approx(0.5)
    torch.testing.assert_close(step.task_losses_of["identity"].center.centers.norm(dim=1), torch.full((4,), 0.5))


def test_a_naive_unit_is_trained_by_the_total_loss(make_step):
    step = make_step(NaiveDynamicWeighting(1792, 2, normalize_logits=False))
    before = snapshot(step.weighting)
    result = step(CROPS, LABELS, seeded())
    assert result.weighting_loss is None
    assert all(not torch.equal(before[name], value) for name, value in snapshot(step.weighting).items())


def test_fixed_weights_give_a_fixed_sum(make_step):
    result = make_step(FixedWeighting([1.0, 3.0]))(CROPS, LABELS, seeded())
    expected = 0.25 * result.task_losses[0] + 0.75 * result.task_losses[1]
    assert result.total_loss.item() == pytest.approx(expected.item())


def test_gradients_are_clipped_to_their_global_norm(make_step):
    step = make_step(FixedWeighting([1.0, 1.0]), clip_grad_norm=1e-3)
    before = snapshot(step.network)
    result = step(CROPS, LABELS, seeded())
    assert result.grad_norm > 1e-3
    moved = sum(((before[name] - value) ** 2).sum() for name, value in snapshot(step.network).items()).sqrt()
    assert moved.item() == pytest.approx(0.01 * 1e-3, rel=0.05)


SOLVED = [GradientRuleWeighting(name) for name in ("cagrad", "fairgrad", "imtl_g")]


@pytest.mark.parametrize("weighting", [*SOLVED, JacobianRuleWeighting("graddrop"), GradVacWeighting(2, beta=0.5)])
def test_no_rule_sees_or_remembers_a_gradient_that_is_no_number(make_step, weighting):
    step = make_step(weighting)
    next(step.network.trunk.parameters()).register_hook(lambda gradient: gradient * float("nan"))
    before = copy.deepcopy(step.weighting.state_dict())
    with pytest.raises(NonFiniteLossError, match="the step was not applied"):
        step(CROPS, LABELS, seeded())
    torch.testing.assert_close(step.weighting.state_dict(), before, rtol=0, atol=0, equal_nan=True)


def test_the_check_comes_before_any_update(make_step):
    class Stop(Exception):
        pass

    def stop(task_losses):
        raise Stop

    step = make_step(check=stop)
    before = snapshot(step.network)
    with pytest.raises(Stop):
        step(CROPS, LABELS, seeded())
    assert all(torch.equal(before[name], value) for name, value in snapshot(step.network).items())
    assert not step.task_losses_of["identity"].center.centers.any()


THREE = {"identity": 4, "expression": 3, "glasses": 2}


@pytest.fixture(scope="module")
def make_three(make_network, loss_params):
    def make(weighting, **network) -> MultiTaskStep:
        network = make_network(THREE, dropout=0.0, linear_sigma=0.1, **network).eval()
        return MultiTaskStep(
            network=network,
            weighting=weighting,
            task_losses_of=task_losses_of(network, loss_params(*THREE)),
            optimizer=make_optimizer("sgd", network.parameters(), learning_rate=0.01),
            weighting_optimizer=None,
            clip_grad_norm=1e9,
        )

    return make


@pytest.mark.parametrize("rule", ["upgrad", "mgda", "pcgrad"])
def test_gradient_rules_equal_torchjds_own_engine(make_three, rule):
    """The trunk gets the aggregated gradient, a task's own part its own, as torchjd's `mtl_backward` has it."""
    from torchjd import aggregation, autojac

    labels = {**LABELS, "glasses": torch.tensor([0, 1, 1, NO_LABEL])}
    step, twin = (make_three(GradientRuleWeighting(rule)) for _ in range(2))
    step(CROPS, labels, seeded())
    shared = [p for p in twin.network.trunk.parameters() if p.requires_grad]
    output = twin.network(CROPS)
    losses = twin.task_losses(output, labels).values
    autojac.mtl_backward(list(losses), output.shared_features, shared_params=shared, retain_graph=True)
    aggregator = {"upgrad": aggregation.UPGrad, "mgda": aggregation.MGDA, "pcgrad": aggregation.PCGrad}[rule]()
    torch.manual_seed(0)  # pcgrad draws the order of the tasks
    autojac.jac_to_grad(shared, aggregator)
    theirs = dict(twin.network.named_parameters())
    for name, parameter in step.network.named_parameters():
        if parameter.requires_grad:
            torch.testing.assert_close(parameter.grad, theirs[name].grad, rtol=1e-3, atol=1e-5, msg=name)


def test_three_tasks_train_with_one_of_them_without_a_label(make_three):
    weighting = DynamicWeighting(1792, 3, normalize_logits=True, detach_weights=False, sigma=0.01)
    step = make_three(weighting)
    step.weighting_optimizer = make_optimizer("sgd", weighting.parameters(), learning_rate=0.1)
    labels = {**LABELS, "glasses": torch.full((4,), NO_LABEL)}
    before = snapshot(step.network.heads["glasses"])
    result = step(CROPS, labels, seeded())
    assert result.task_losses[2] == 0
    assert result.task_weights[2] == 0
    assert result.task_weights.sum().item() == pytest.approx(1)
    expected = sum(result.task_weights[i] / (result.task_losses[i] + 0.01) for i in range(2))
    assert result.weighting_loss.item() == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(snapshot(step.network.heads["glasses"]), before, rtol=0, atol=0)


def test_a_sample_without_a_label_changes_nothing_of_its_task(make_three):
    labels = {**LABELS, "glasses": torch.tensor([0, 1, NO_LABEL, NO_LABEL])}
    results = []
    for crops in (CROPS, torch.cat([CROPS[:2], torch.zeros_like(CROPS[2:])])):
        step = make_three(FixedWeighting([0.0, 0.0, 1.0]))
        step(crops, labels, seeded())
        results.append(snapshot(step.network.heads["glasses"]))
    torch.testing.assert_close(results[0], results[1])


def test_gradnorm_sees_the_gradients_of_the_last_shared_layer(make_three):
    step = make_three(GradNormWeighting(3, alpha=1.5))
    step.weighting_optimizer = make_optimizer("sgd", step.weighting.parameters(), learning_rate=0.0)
    twin = make_three(FixedWeighting([1.0, 1.0, 1.0]))
    labels = {**LABELS, "glasses": torch.tensor([0, 1, 1, 0])}
    output = twin.network(CROPS)
    norms = []
    for loss in twin.task_losses(output, labels).values:
        gradients = torch.autograd.grad(loss, twin.network.last_shared_layer(), retain_graph=True)
        norms.append(sum(gradient.square().sum() for gradient in gradients).sqrt())
    mean = sum(norms) / 3
    result = step(CROPS, labels, seeded())
    # at the first step every task has lost nothing yet, so the target is the mean norm
    assert result.weighting_loss.item() == pytest.approx(sum(abs(n - mean) for n in norms).item(), rel=1e-4)


def test_uncertainty_adds_its_penalty_to_what_is_minimised_alone(make_step):
    weighting = UncertaintyWeighting(2, initial_log_variance=-0.5)
    step = make_step(weighting, clip_grad_norm=1e9)
    result = step(CROPS, LABELS, seeded())
    half_inverse = 1 / (2 * torch.tensor(-0.5).exp())
    assert result.total_loss.item() == pytest.approx((half_inverse * result.task_losses.sum()).item(), rel=1e-5)
    expected = -0.5 - 0.01 * (0.5 - half_inverse * result.task_losses)
    torch.testing.assert_close(weighting.log_variances.detach(), expected)


@pytest.mark.parametrize("detach", [False, True])
def test_gradients_of_both_losses_equal_their_longhand_twins(make_step, detach):
    """Trunk: the sum of w_t grad L_t and, unless detached, L_t grad w_t. Unit: the sum of grad w_t / (L_t + sigma)."""
    weighting = DynamicWeighting(1792, 2, normalize_logits=False, detach_weights=detach, sigma=0.01)
    step = make_step(weighting, clip_grad_norm=1e9)
    torch.nn.init.normal_(weighting.unit.weight, std=3.0)
    trunk, unit = next(iter(step.network.trunk.parameters())), weighting.unit.weight
    output = step.network(CROPS)
    losses = step.task_losses(output, LABELS).values
    weights = weighting.sample_weights(output.shared_features).mean(dim=0)
    expected_trunk, expected_unit = torch.zeros_like(trunk), torch.zeros_like(unit)
    for weight, loss in zip(weights, losses, strict=True):
        expected_trunk += weight.detach() * torch.autograd.grad(loss, trunk, retain_graph=True)[0]
        if not detach:
            expected_trunk += loss.detach() * torch.autograd.grad(weight, trunk, retain_graph=True)[0]
        expected_unit += torch.autograd.grad(weight, unit, retain_graph=True)[0] / (loss.detach() + 0.01)
    step(CROPS, LABELS, seeded())
    torch.testing.assert_close(trunk.grad, expected_trunk, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(unit.grad, expected_unit, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("weighting", [None, FixedWeighting([1.0, 1.0])], ids=["dynamic", "fixed"])
def test_no_update_is_applied_where_one_gradient_is_no_number(make_step, weighting):
    step = make_step(weighting)
    step.network.heads["expression"][0].weight.register_hook(lambda gradient: gradient * float("nan"))
    network, unit = snapshot(step.network), snapshot(step.weighting)
    with pytest.raises(NonFiniteLossError, match="the step was not applied"):
        step(CROPS, LABELS, seeded())
    torch.testing.assert_close(snapshot(step.network), network, rtol=0, atol=0)
    torch.testing.assert_close(snapshot(step.weighting), unit, rtol=0, atol=0)


def test_losses_weights_and_centres_are_float32_under_bf16(make_step):
    step = make_step(autocast=lambda: torch.autocast("cpu", dtype=torch.bfloat16))
    result = step(CROPS, LABELS, seeded())
    values = [result.task_losses, result.task_weights, result.weighting_loss, result.total_loss]
    assert {value.dtype for value in values} == {torch.float32}
    assert step.task_losses_of["identity"].center.centers.dtype == torch.float32


@pytest.mark.parametrize("weighting", [None, GradientRuleWeighting("upgrad")], ids=["dynamic", "upgrad"])
def test_a_compiled_network_steps_as_an_eager_one(make_step, weighting):
    """Through the same graphs as on a GPU, where they are also turned into kernels."""
    eager, compiled = make_step(weighting), make_step(weighting)
    compiled.compile("aot_eager")
    for _ in range(2):
        ours, theirs = compiled(CROPS, LABELS, seeded()), eager(CROPS, LABELS, seeded())
        torch.testing.assert_close(ours.task_losses, theirs.task_losses, rtol=1e-3, atol=1e-4)
    for name, value in snapshot(compiled.network).items():
        torch.testing.assert_close(value, dict(eager.network.named_parameters())[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("weighting", SUM_AND_RULE, ids=["sum", "rule"])
def test_untrained_parameters_stay_and_the_others_train(make_step, weighting):
    step = make_step(weighting)
    step.untrained = frozenset(step.network.trunk.parameters())
    before = snapshot(step.network)
    step(CROPS, LABELS, seeded())
    trained = {name for name, p in step.network.named_parameters() if p.requires_grad}
    for name, value in snapshot(step.network).items():
        assert torch.equal(value, before[name]) == (name.startswith("trunk") or name not in trained), name


def test_a_rule_that_looks_back_learns_from_the_losses_on_the_same_batch_and_moves_no_statistics(make_step):
    weighting = FamoWeighting(2)
    step = make_step(weighting, weighting_optimizer=make_optimizer("sgd", weighting.parameters(), learning_rate=1.0))
    step.network.train()
    twin = copy.deepcopy(step)
    twin.weighting.looks_back = False
    result = step(CROPS, LABELS, seeded())
    twin(CROPS, LABELS, seeded())
    for ours, theirs in zip(step.network.buffers(), twin.network.buffers(), strict=True):
        assert torch.equal(ours, theirs)
    with torch.no_grad():
        twin.task_losses_of["identity"].center.centers.zero_()  # they move after the losses are read again
        after = twin.task_losses(twin.network(CROPS), LABELS).values
    fallen = (result.task_losses.log() - after.log()).tolist()
    gradient = [0.25 * (fallen[0] - fallen[1]), 0.25 * (fallen[1] - fallen[0])]  # of the softmax of (0, 0)
    assert (-weighting.logits.detach()).tolist() == pytest.approx(gradient, rel=1e-3, abs=1e-5)


def test_a_rule_that_looks_back_at_a_loss_that_is_no_number_stays(make_step):
    """The step was applied; the next one's check says what it led to."""
    weighting = FamoWeighting(2)
    step = make_step(weighting, weighting_optimizer=make_optimizer("sgd", weighting.parameters(), learning_rate=1.0))
    step.optimizer.param_groups[0]["lr"] = 1e30
    before = snapshot(step.network)
    step(CROPS, LABELS, seeded())
    assert not torch.equal(snapshot(step.network)["heads.identity.weight"], before["heads.identity.weight"])
    assert weighting.logits.tolist() == [0, 0]


def test_a_rule_that_looks_back_counts_a_batch_once_in_a_heads_statistics(make_step):
    means = []
    for looks_back in (False, True):
        weighting = FamoWeighting(2)
        weighting.looks_back = looks_back
        step = make_step(
            weighting, weighting_optimizer=make_optimizer("sgd", weighting.parameters(), learning_rate=1.0)
        )
        step.network.heads["identity"] = AdaFaceHead(1792, 4, AdaFaceHeadParams()).train()
        step(CROPS, LABELS, seeded())
        means.append(step.network.heads["identity"].length_mean.item())
    assert means[0] == means[1] != AdaFaceHead(1792, 4, AdaFaceHeadParams()).length_mean.item()


def test_a_rule_on_the_jacobian_sets_the_trunks_gradient_alone(make_step):
    """Of two rules, the trunks end apart, and the branches and heads, which train on their own losses, alike."""
    networks = []
    for rule in ("config", "graddrop"):
        step = make_step(JacobianRuleWeighting(rule), clip_grad_norm=1e9)
        step(CROPS, LABELS, seeded())
        networks.append(snapshot(step.network))
    differing = {
        name.partition(".")[0] for name in networks[0] if not torch.equal(networks[0][name], networks[1][name])
    }
    assert differing == {"trunk"}


def test_tasks_of_every_kind_step_together_and_one_without_labels_has_no_weight(make_network, loss_params):
    """A single valence in the batch is no label for a concordance."""
    kinds = {"units": make_kind("multi_label", None), "affect": make_kind("regression", [-1, 1])}
    network = make_network({"identity": 4, "expression": 3, "units": 2, "affect": 2}, dropout=0.0, kinds=kinds).eval()
    losses = loss_params("identity", "expression")
    losses |= {"units": MultiLabelLossParams(), "affect": RegressionLossParams()}
    weighting = DynamicWeighting(1792, 4, normalize_logits=True, detach_weights=False, sigma=0.01)
    step = MultiTaskStep(
        network=network,
        weighting=weighting,
        task_losses_of=task_losses_of(network, losses),
        optimizer=make_optimizer("sgd", network.parameters(), learning_rate=0.01),
        weighting_optimizer=make_optimizer("sgd", weighting.parameters(), learning_rate=0.1),
        clip_grad_norm=5.0,
    )
    nan = torch.nan
    units = torch.tensor([[1, nan], [0, nan], [nan, nan], [nan, nan]])
    affect = torch.tensor([[0.5, nan], [-0.5, nan], [nan, nan], [nan, nan]])
    before = step.task_losses(network(CROPS), {**LABELS, "units": units, "affect": affect})
    assert before.has_label.tolist() == [True] * 4
    assert before.values[2].item() == pytest.approx(math.log(2), rel=0.1)  # a fresh head answers about 0.5
    assert 0 < before.values[3] < 2
    single = torch.tensor([[0.5, nan], [nan, nan], [nan, nan], [nan, nan]])
    outcome = step.task_losses(network(CROPS), {**LABELS, "units": units, "affect": single})
    assert (outcome.has_label.tolist(), outcome.values[3].item()) == ([True, True, True, False], 0)
    torch.testing.assert_close(outcome.center, before.center)
    weights = step(CROPS, {**LABELS, "units": units, "affect": single}, seeded()).task_weights
    assert (weights > 0).tolist() == [True, True, True, False]
    assert weights.sum().item() == pytest.approx(1)
