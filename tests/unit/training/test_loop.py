import logging
import math

import numpy as np
import pytest
import torch
from PIL import Image

from dwmtl.datasets.crops import read_crop
from dwmtl.errors import NonFiniteLossError
from dwmtl.network.network import FaceNetwork
from dwmtl.params import load_params
from dwmtl.training.crops import CropDataset, ShuffledBatches
from dwmtl.training.loop import WeightingOptimizer, fit
from dwmtl.training.trajectory import final_losses
from dwmtl.weighting.dynamic import DynamicWeighting
from dwmtl.weighting.fixed import FixedWeighting


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


def make_network(**changes) -> FaceNetwork:
    torch.manual_seed(0)
    settings = {
        "trunk": "facelivenet",
        "num_classes": {"identity": 2, "expression": 2},
        "dropout": 0.5,
        "batch_norm_momentum": 0.1,
        "linear_sigma": 0.1,
        "relu_on_expression_logits": False,
    }
    return FaceNetwork(**{**settings, **changes})


def run(network, dataset, weighting=None, **changes):
    torch.manual_seed(0)
    weighting = weighting or DynamicWeighting(1792, 2, normalize_logits=True, detach_weights=False, sigma=0.01)
    params = load_params().train.model_copy(update={"num_epochs": 2, "batch_size": 4, **changes})
    return fit(
        network,
        weighting,
        dataset,
        params,
        frozen=set(),
        weighting_optimizer=WeightingOptimizer("sgd", 0.5) if isinstance(weighting, DynamicWeighting) else None,
        accelerator="cpu",
        num_workers=0,
    )


def test_the_trajectory_has_a_row_a_step_with_what_the_method_moves(dataset):
    trajectory = run(make_network(), dataset)
    assert trajectory["step"].tolist() == [0, 1, 2, 3]
    assert trajectory["epoch"].tolist() == [0, 0, 1, 1]
    assert (trajectory["weight_identity"] + trajectory["weight_expression"]).to_numpy() == pytest.approx(np.ones(4))
    total = (
        trajectory["weight_identity"] * trajectory["loss_identity"]
        + trajectory["weight_expression"] * trajectory["loss_expression"]
    )
    assert trajectory["loss_total"].to_numpy() == pytest.approx(total.to_numpy(), rel=1e-5)
    assert trajectory.notna().all(axis=None)


def test_the_same_seed_gives_the_same_bytes(dataset):
    first, second = make_network(), make_network()
    assert run(first, dataset).equals(run(second, dataset))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_another_seed_gives_another_trajectory(dataset):
    assert not run(make_network(), dataset).equals(run(make_network(), dataset, seed=1))


def test_training_lowers_the_losses_on_its_own_crops(dataset):
    trajectory = run(make_network(dropout=0.0, linear_sigma=0.02), dataset, num_epochs=15)
    assert trajectory["loss_total"].iloc[-2:].mean() < 0.5 * trajectory["loss_total"].iloc[:2].mean()


def test_a_loss_that_is_no_number_stops_before_the_step_and_names_its_files(dataset):
    network = make_network()
    with torch.no_grad():
        network.heads["expression"][0].weight[0, 0] = math.nan
    before = {name: value.clone() for name, value in network.named_parameters()}
    with pytest.raises(NonFiniteLossError, match=r"at step 0 \(identity .*expression nan.*\.png"):
        run(network, dataset)
    for name, value in network.named_parameters():
        assert torch.equal(value, before[name]) or name == "heads.expression.0.weight"


def test_a_dead_expression_head_is_told(dataset, caplog):
    network = make_network(relu_on_expression_logits=True)
    with torch.no_grad():
        network.heads["expression"][2].bias.fill_(-100.0)
    with caplog.at_level(logging.WARNING):
        run(network, dataset)
    assert "stood at ln(2)" in caplog.text


def test_a_rule_without_a_loss_leaves_its_cells_empty(dataset):
    trajectory = run(make_network(), dataset, FixedWeighting([1.0, 1.0]))
    assert trajectory["loss_weighting"].isna().all()
    assert "loss_weighting" not in final_losses(trajectory)


def test_an_epochs_order_depends_on_the_seed_and_the_epoch_alone(dataset):
    batches = ShuffledBatches(dataset, batch_size=4, seed=3, num_workers=0, pin_memory=False)

    def indices(epoch):
        return torch.cat([batch[2] for batch in batches.epoch(epoch)]).tolist()

    assert indices(1) == indices(1)
    assert indices(0) != indices(1)
    assert len(set(indices(0))) == 8  # two of ten are left over by batches of four


def test_a_set_smaller_than_a_batch_is_one_batch(dataset):
    assert ShuffledBatches(dataset, batch_size=64, seed=0, num_workers=0, pin_memory=False).batch_size == 10


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_trains_too(dataset):
    network = make_network()
    params = load_params().train.model_copy(update={"num_epochs": 1, "batch_size": 4})
    trajectory = fit(
        network,
        FixedWeighting([1.0, 1.0]),
        dataset,
        params,
        frozen=set(),
        weighting_optimizer=None,
        accelerator="cuda",
        num_workers=0,
    )
    assert np.isfinite(trajectory["loss_total"]).all()
    assert next(network.parameters()).is_cuda


def test_a_crop_is_read_as_it_was_written(dataset):
    crop, labels, index = dataset[3]
    assert np.array_equal(crop.permute(1, 2, 0).numpy(), read_crop(dataset.paths[3]))
    assert (labels.tolist(), index) == ([1, 0], 3)
