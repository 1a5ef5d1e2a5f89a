"""Steps and trainings of small networks. Files whose trainings need another set override `train`."""

import numpy as np
import pytest
import torch
from PIL import Image

from dwmtl.params import load_params
from dwmtl.training.compute import Execution, make_fabric
from dwmtl.training.crops import CropDataset
from dwmtl.training.keep import FrozenStart
from dwmtl.training.loop import fit
from dwmtl.training.losses import task_losses_of
from dwmtl.training.optimizers import make_optimizer
from dwmtl.training.step import MultiTaskStep
from dwmtl.training.training import Training
from dwmtl.weighting.dynamic import DynamicWeighting
from dwmtl.weighting.gradnorm import GradNormWeighting
from dwmtl.weighting.params import UnitParams

NUM_FEATURES = 96 * 3 * 3
"""Of the trunk of `new_network`, for a crop of 80 px."""


@pytest.fixture(scope="module")
def make_step(make_network, loss_params):
    """Makes a step of two tasks, by default with the paper's weighting: `make_step(weighting, clip_grad_norm=1e9)`."""

    def make(weighting=None, **changes) -> MultiTaskStep:
        network = make_network({"identity": 4, "expression": 3}, dropout=0.0, linear_sigma=0.1).eval()
        weighting = weighting or DynamicWeighting(1792, 2, normalize_logits=False, detach_weights=False, sigma=0.01)
        settings = {
            "task_losses_of": task_losses_of(network, loss_params("identity", "expression")),
            "optimizer": make_optimizer(
                "sgd",
                network.parameters(),
                learning_rate=0.01,
                undecayed=weighting.parameters() if weighting.trains_with_network else (),
            ),
            "weighting_optimizer": make_optimizer("sgd", weighting.parameters(), learning_rate=0.1)
            if type(weighting) is DynamicWeighting
            else None,
            "clip_grad_norm": 5.0,
            "start": FrozenStart(network) if "keep" in changes else None,
        }
        return MultiTaskStep(network=network, weighting=weighting, **{**settings, **changes})

    return make


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> CropDataset:
    """Ten noisy crops: an identity is red or blue, an expression bright above or below."""
    folder, noise = tmp_path_factory.mktemp("crops"), np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(10)]
    for number, path in enumerate(paths):
        crop = noise.integers(0, 56, (80, 80, 3), dtype=np.uint8)
        crop[..., 2 * (number % 2)] += 90
        crop[40 * (number // 5) :][:40] += 100
        Image.fromarray(crop).save(path)
    return CropDataset(paths, {"identity": np.arange(10) % 2, "expression": np.arange(10) // 5})


def _has_a_loss(weighting) -> bool:
    return type(weighting) in (DynamicWeighting, GradNormWeighting)


@pytest.fixture(scope="module")
def new_network(make_network):
    """Makes the same small network of two tasks; the words are changes to its section of the params."""

    def new(**changes):
        settings = {"trunk": "timm:test_resnet", "dropout": 0.5, "linear_sigma": 0.1}
        return make_network({"identity": 2, "expression": 2}, **{**settings, **changes})

    return new


@pytest.fixture(scope="module")
def train(dataset, loss_params):
    """Trains a network on `dataset`, two epochs of two steps; `checkpoint_dir` and `on_step` go to the execution, other
    words are changes to the params."""

    def run(network, weighting=None, *, facts=None, validation=None, compute=(), **changes):
        how = {name: changes.pop(name) for name in ("checkpoint_dir", "on_step") if name in changes}
        torch.manual_seed(0)
        weighting = weighting or DynamicWeighting(
            NUM_FEATURES, 2, normalize_logits=True, detach_weights=False, sigma=0.01
        )
        params = load_params().train.model_copy(update={"num_epochs": 2, "batch_size": 4, **changes})
        training = Training(
            network,
            weighting,
            dataset,
            params,
            losses=loss_params("identity", "expression"),
            weighting_optimizer=UnitParams(optimizer="sgd", learning_rate=0.5) if _has_a_loss(weighting) else None,
            validation=validation,
            keep=params.keep,
            learning_rate_factors=params.learning_rate_factors,
            freeze=params.freeze,
            balanced_task=params.balanced_task,
            facts=facts,
        )
        fabric = make_fabric("cpu", precision=params.precision)
        compute = load_params().compute.model_copy(update=dict(compute))
        return fit(training, Execution(fabric, compute, **how))

    return run
