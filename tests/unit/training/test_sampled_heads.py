"""Heads that train some of their classes, against heads cut down to these classes by hand."""

import copy

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from dwmtl.network.heads import make_head
from dwmtl.network.network import FaceNetwork
from dwmtl.network.params import (
    AdaFaceHeadParams,
    ArcFaceHeadParams,
    CosFaceHeadParams,
    LinearHeadParams,
    MultiLabelTaskParams,
)
from dwmtl.network.sampled_classes import SampledClasses, draw_classes
from dwmtl.params import load_params
from dwmtl.training.losses import NO_LABEL, task_losses_of
from dwmtl.training.optimizers import make_optimizer
from dwmtl.training.sampled_heads import sampled_classes
from dwmtl.training.sharded_heads import shard_heads
from dwmtl.training.step import MultiTaskStep
from dwmtl.training.task_params import LossParams, TaskParams
from dwmtl.weighting.fixed import FixedWeighting
from dwmtl.weighting.gradient_rule import GradientRuleWeighting

HEADS = {
    "linear": LinearHeadParams(),
    "arcface": ArcFaceHeadParams(margin_deg=20.0, scale=8.0),
    "cosface": CosFaceHeadParams(margin=0.2, scale=8.0),
    "adaface": AdaFaceHeadParams(scale=8.0),
}
NUM_CLASSES = 20
CROPS = torch.randn(4, 3, 80, 80, generator=torch.Generator().manual_seed(1))
LABELS = {"identity": torch.tensor([3, 11, NO_LABEL, 3]), "expression": torch.tensor([0, 1, 2, 0])}


def with_rate(head, rate: float):
    return head.model_copy(update={"sample_rate": rate})


def make_step(head, optimizer: str = "sgd", weighting=None) -> MultiTaskStep:
    torch.manual_seed(0)
    params = load_params()
    body = params.network.model_copy(update={"trunk": "timm:test_resnet", "dropout": 0.0})
    heads = {"identity": head, "expression": params.tasks["expression"].head}
    network = FaceNetwork(body, heads, {"identity": NUM_CLASSES, "expression": 3}).eval()
    return MultiTaskStep(
        network=network,
        weighting=weighting or FixedWeighting([1.0, 1.0]),
        task_losses_of=task_losses_of(network, {task: params.tasks[task].loss for task in heads}),
        optimizer=make_optimizer(optimizer, network.parameters(), learning_rate=1e-3, weight_decay=0.01),
        weighting_optimizer=None,
        clip_grad_norm=5.0,
    )


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def weight_of(step: MultiTaskStep) -> torch.Tensor:
    """(C, D), a copy."""
    head = step.network.heads["identity"]
    parameter = head.margin_loss.W.T if hasattr(head, "margin_loss") else head.weight
    return parameter.detach().clone()


def test_the_classes_of_the_labels_are_always_drawn_and_the_others_alike():
    labels, generator, counts = torch.tensor([7, 2, 7, NO_LABEL]), seeded(0), torch.zeros(10)
    for _ in range(800):
        classes = draw_classes(labels, 10, 0.35, generator)
        assert classes.tolist() == sorted(set(classes.tolist()))
        assert len(classes) == 4
        counts[classes] += 1
    assert counts[[2, 7]].tolist() == [800, 800]
    others = counts[[0, 1, 3, 4, 5, 6, 8, 9]] / 800  # 2 of 8
    assert (others - 0.25).abs().max() < 0.06
    assert torch.equal(draw_classes(labels, 10, 0.35, seeded(3)), draw_classes(labels, 10, 0.35, seeded(3)))
    assert draw_classes(torch.arange(6), 10, 0.1, seeded(0)).tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", HEADS)
def test_losses_and_gradients_are_those_of_a_head_cut_down_to_the_classes(name):
    torch.manual_seed(0)
    head = make_head(with_rate(HEADS[name], 0.5), 6, NUM_CLASSES)
    classes, labels = torch.tensor([1, 3, 8, 11]), torch.tensor([11, 1, 1])
    small = make_head(HEADS[name], 6, len(classes))
    rows = []
    for (parameter, dim), cut in zip(head.class_parameters(), parameters(small), strict=True):
        cut.data.copy_(parameter.data.index_select(dim, classes))
        rows.append(parameter.detach().index_select(dim, classes).requires_grad_())
    vectors = torch.randn(3, 6)
    head.sampled = SampledClasses(classes, tuple(rows))
    ours, theirs = (losses(h, vectors, y) for h, y in ((head, head.sampled.places(labels)), (small, [3, 0, 0])))
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(head(vectors), small(vectors))
    gradients = torch.autograd.grad(ours.sum(), rows), torch.autograd.grad(theirs.sum(), parameters(small))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)
    head.sampled = None
    assert head(vectors).shape == (3, NUM_CLASSES)


def parameters(head) -> list[torch.nn.Parameter]:
    return [head.margin_loss.W] if hasattr(head, "margin_loss") else list(head.parameters())


def losses(head, vectors, labels) -> torch.Tensor:
    labels = torch.as_tensor(labels)
    if hasattr(head, "sample_losses"):
        return head.sample_losses(vectors, labels)
    return functional.cross_entropy(head(vectors), labels, reduction="none")


@pytest.mark.parametrize(
    ("name", "optimizer"), [("linear", "adamw"), ("arcface", "sgd"), ("cosface", "adamw"), ("adaface", "rmsprop_tf")]
)
def test_a_rate_that_draws_every_class_trains_as_no_rate(name, optimizer):
    steps = [make_step(with_rate(HEADS[name], rate), optimizer) for rate in (0.999, 1.0)]
    results = [[step(CROPS, LABELS, seeded(number)).task_losses for number in range(3)] for step in steps]
    torch.testing.assert_close(results[0], results[1])
    torch.testing.assert_close(weight_of(steps[0]), weight_of(steps[1]))


@pytest.mark.parametrize(("name", "weighting"), [("linear", "upgrad"), ("arcface", None), ("adaface", None)])
def test_a_step_changes_the_drawn_classes_alone(name, weighting):
    rule = GradientRuleWeighting(weighting) if weighting else None
    step = make_step(with_rate(HEADS[name], 0.3), "adamw", rule)
    seen = torch.zeros(NUM_CLASSES, dtype=torch.bool)
    for number in range(3):
        drawn = draw_classes(LABELS["identity"], NUM_CLASSES, 0.3, seeded(number))
        before, trunk = weight_of(step), next(step.network.trunk.parameters()).detach().clone()
        step(CROPS, LABELS, seeded(number))
        is_changed = (weight_of(step) != before).any(dim=1)
        assert is_changed.nonzero()[:, 0].tolist() == drawn.tolist()
        assert not torch.equal(trunk, next(step.network.trunk.parameters()))
        seen |= is_changed
    head = step.network.heads["identity"]
    weight, dim = head.class_parameters()[0]
    moments = step.optimizer.state[weight]["exp_avg"]
    assert moments.shape == weight.shape
    assert ((moments if dim == 0 else moments.T) != 0).any(dim=1).tolist() == seen.tolist()


def test_a_step_that_resumes_from_the_optimisers_state_is_the_same():
    head = with_rate(HEADS["linear"], 0.3)
    one, two = make_step(head, "adamw"), make_step(head, "adamw")
    one(CROPS, LABELS, seeded(0))
    two.network.load_state_dict(one.network.state_dict())
    two.task_losses_of.load_state_dict(one.task_losses_of.state_dict())
    two.optimizer.load_state_dict(copy.deepcopy(one.optimizer.state_dict()))
    for step in (one, two):
        step(CROPS, LABELS, seeded(1))
    assert torch.equal(weight_of(one), weight_of(two))


def test_after_an_error_the_head_and_the_optimiser_are_whole():
    step = make_step(with_rate(HEADS["linear"], 0.3), "adamw")
    step(CROPS, LABELS, seeded(0))
    before, groups = weight_of(step), [group["params"] for group in step.optimizer.param_groups]
    with pytest.raises(RuntimeError, match="a shape"), sampled_classes(step.network, step.optimizer, LABELS, seeded(1)):
        raise RuntimeError("a shape")
    assert torch.equal(before, weight_of(step))
    for kept, group in zip(groups, step.optimizer.param_groups, strict=True):
        assert all(a is b for a, b in zip(kept, group["params"], strict=True))


def test_a_frozen_head_stays_and_its_task_still_trains_the_trunk():
    step = make_step(with_rate(HEADS["linear"], 0.3))
    step.untrained = frozenset(step.network.heads["identity"].parameters())
    before, trunk = weight_of(step), next(step.network.trunk.parameters()).detach().clone()
    step(CROPS, {**LABELS, "expression": torch.full((4,), NO_LABEL)}, seeded(0))
    assert torch.equal(before, weight_of(step))
    assert not torch.equal(trunk, next(step.network.trunk.parameters()))


def test_a_sharded_head_of_one_process_is_the_plain_one():
    plain, sharded = (make_step(LinearHeadParams(sharded=value)) for value in (False, True))
    shard_heads(sharded.network)
    for step in (plain, sharded):
        step(CROPS, LABELS, seeded(0))
    assert list(plain.network.state_dict()) == list(sharded.network.state_dict())
    assert torch.equal(weight_of(plain), weight_of(sharded))


def test_a_rate_is_written_only_where_it_samples():
    assert not {"sample_rate", "sharded"} & set(LinearHeadParams().model_dump())
    assert with_rate(HEADS["arcface"], 0.1).model_dump()["sample_rate"] == 0.1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinearHeadParams(sample_rate=0.0), "greater than 0"),
        (lambda: LinearHeadParams(sample_rate=1.5), "less than or equal to 1"),
        (lambda: LinearHeadParams(sample_rate=0.5, relu_on_logits=True), "relu_on_logits must be false"),
        (lambda: LinearHeadParams(sharded=True, relu_on_logits=True), "relu_on_logits must be false"),
        (
            lambda: TaskParams(
                labels="subject", head=LinearHeadParams(sharded=True), loss=LossParams(label_smoothing=0.1)
            ),
            "label_smoothing must be 0 where the head is sharded",
        ),
        (
            lambda: MultiLabelTaskParams(kind="multi_label", labels=["a"], head=LinearHeadParams(sample_rate=0.5)),
            "only classes are sampled",
        ),
    ],
)
def test_a_rate_or_shard_that_cannot_be_is_refused(make, message):
    with pytest.raises(ValidationError, match=message):
        make()
