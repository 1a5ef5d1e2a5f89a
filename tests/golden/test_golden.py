"""Our step against the authors' own graph: the same checkpoint, the same batch, five steps.

Reads any folder of the form of `golden/`: a TensorFlow checkpoint, `golden.npz`, `trajectory.json` (its README says
what they hold). DWMTL_GOLDEN names another one.
"""

import json
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from dwmtl.network.model_file import METHOD_FILE, load_model, load_weights
from dwmtl.network.tensorflow_checkpoint import read_variables
from dwmtl.network.tensorflow_names import torch_name, torch_value
from dwmtl.training.losses import task_losses_of
from dwmtl.training.optimizers import make_optimizer
from dwmtl.training.step import MultiTaskStep, StepResult
from dwmtl.weighting.dynamic import DynamicWeighting


@dataclass
class Golden:
    """The authors' numbers, and our network filled from their checkpoint."""

    numbers: dict[str, np.ndarray]
    trajectory: list[dict[str, float]]
    variables: dict[str, np.ndarray]
    feature_shape: tuple[int, int, int]
    step: MultiTaskStep

    @property
    def images(self) -> torch.Tensor:
        return torch.from_numpy(self.numbers["images"])


@pytest.fixture(scope="module")
def folder(testdata) -> Path:
    if not find_spec("tensorflow"):  # whose import takes seconds: not for the collection of tests
        pytest.skip("reads a TensorFlow checkpoint: pip install 'dwmtl[tensorflow]'")
    folder = Path(os.environ.get("DWMTL_GOLDEN", testdata / "golden"))
    if not folder.is_dir():
        if "DWMTL_GOLDEN" in os.environ:
            pytest.fail(f"DWMTL_GOLDEN is {folder}: no such folder")
        pytest.skip(f"{folder}: no such folder")
    return folder


@pytest.fixture(scope="module")
def imported(dwmtl, folder, tmp_path_factory) -> Path:
    """The checkpoint as the project's own command imports it."""
    prefix = next(folder.glob("*.ckpt.index")).with_suffix("")
    out = tmp_path_factory.mktemp("imported") / "model"
    done = dwmtl("import-checkpoint", prefix, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def golden(folder, imported, loss_params) -> Golden:
    numbers = dict(np.load(folder / "golden.npz"))
    variables = read_variables(next(folder.glob("*.ckpt.index")).with_suffix(""))
    feature_shape = numbers["mixed_7a"].shape[1:]
    network, _ = load_model(imported)
    for branch in network.branches.values():
        branch.dropout.p = 0.0  # the golden run keeps every value
    method = load_weights(imported, METHOD_FILE)
    weighting = DynamicWeighting(
        int(np.prod(feature_shape)), 2, normalize_logits=False, detach_weights=False, sigma=0.01
    )
    weighting.load_state_dict({name: value for name, value in method.items() if name.startswith("unit.")})
    losses = task_losses_of(network, loss_params("identity", "expression"))
    losses["identity"].center.centers.copy_(method["centers"])
    step = MultiTaskStep(
        network=network,
        weighting=weighting,
        task_losses_of=losses,
        optimizer=make_optimizer("rmsprop_tf", network.parameters(), learning_rate=1e-3),
        weighting_optimizer=make_optimizer("rmsprop_tf", weighting.parameters(), learning_rate=0.1),
        clip_grad_norm=5.0,
    )
    return Golden(numbers, json.loads((folder / "trajectory.json").read_text()), variables, feature_shape, step)


@pytest.fixture(scope="module")
def activations(golden) -> dict[str, np.ndarray]:
    """What our network says before the first step, batch norm in inference mode."""
    network = golden.step.network.eval()
    with torch.no_grad():
        output = network(golden.images)
        values = {
            "mixed_7a": output.shared_features,
            "prelogits": network.branches["identity"](output.shared_features),
            "embeddings": output.embedding,
            "logits_id": output.logits["identity"],
            "logits_expr_eval": output.logits["expression"],
            "weights_per_sample": golden.step.weighting.sample_weights(output.shared_features),
        }
    return {name: value.numpy() for name, value in values.items()}


@pytest.fixture(scope="module")
def steps(golden, activations) -> list[tuple[StepResult, np.ndarray]]:
    """Our steps on the authors' batch: what each did, and the centres after it. After `activations`: they change it."""
    golden.step.network.set_training(frozen={"trunk", "identity"})
    labels = {
        "identity": torch.from_numpy(golden.numbers["labels_id"]).long(),
        "expression": torch.from_numpy(golden.numbers["labels_expr"]).long(),
    }
    return [
        (
            golden.step(golden.images, labels, torch.Generator()),
            golden.step.task_losses_of["identity"].center.centers.numpy().copy(),
        )
        for _ in golden.trajectory
    ]


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("mixed_7a", 1e-4),
        ("prelogits", 1e-4),
        ("embeddings", 1e-5),
        ("logits_id", 1e-4),
        ("logits_expr_eval", 1e-4),
        ("weights_per_sample", 1e-5),
    ],
)
def test_golden_activations(golden, activations, name, tolerance):
    assert np.abs(activations[name] - golden.numbers[name]).max() < tolerance


def test_golden_losses(golden, steps):
    for (result, _), expected in zip(steps, golden.trajectory, strict=True):
        ours = [*result.task_losses.tolist(), result.total_loss.item(), result.weighting_loss.item()]
        theirs = [expected[name] for name in ("loss_verif", "loss_expr", "total", "l3")]
        assert ours == pytest.approx(theirs, rel=1e-3)
        assert result.center_loss.item() == pytest.approx(expected["center_loss"], rel=1e-3)


def test_golden_task_weights(golden, steps):
    for (result, _), expected in zip(steps, golden.trajectory, strict=True):
        assert result.task_weights.tolist() == pytest.approx([expected["w_verif"], expected["w_expr"]], abs=1e-4)


def test_golden_gradient_norms(golden, steps):
    for (result, _), expected in zip(steps, golden.trajectory, strict=True):
        assert result.grad_norm.item() == pytest.approx(expected["grad_norm_total"], rel=1e-2)
        assert result.weighting_grad_norm.item() == pytest.approx(expected["grad_norm_l3"], rel=1e-2)


def test_golden_centres(golden, steps):
    for number, (_, centers) in enumerate(steps):
        assert np.abs(centers - golden.numbers[f"centers_after_{number}"]).max() < 1e-4


def test_golden_change_of_every_recorded_variable(golden, steps):
    ours = golden.step.network.state_dict() | golden.step.weighting.state_dict()
    recorded = [name for name in golden.numbers if name.startswith("after")]
    assert recorded
    for key in recorded:
        name = key.split("/", 1)[1]
        after, before = (
            torch_value(name, value, feature_shape=golden.feature_shape)
            for value in (golden.numbers[key], golden.variables[name])
        )
        error = (ours[torch_name(name, variables=set(golden.variables))] - after).norm() / (after - before).norm()
        assert error < 0.02, f"{name}: {error:.4f}"
