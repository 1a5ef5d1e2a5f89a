"""Crops as batches: their order, and those that are kept in memory."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from dwmtl.crops.aligned import read_crop
from dwmtl.errors import ProtocolError
from dwmtl.training.crops import CropDataset, ShuffledBatches, balanced_weights
from dwmtl.training.losses import NO_LABEL


def test_crops_are_kept_only_where_all_fit(dataset, tmp_path):
    paths = [Path(shutil.copy(path, tmp_path)) for path in dataset.paths]
    fresh = CropDataset(paths, {"identity": np.zeros(10)})
    assert not fresh.keep_in_memory(10 * 80 * 80 * 3 - 1, is_shared=False)
    assert fresh.keep_in_memory(10 * 80 * 80 * 3, is_shared=True)
    for _ in range(2):  # decoded, and from memory
        assert np.array_equal(fresh[3][0].permute(1, 2, 0).numpy(), read_crop(dataset.paths[3]))
        paths[3].unlink(missing_ok=True)


def test_an_epochs_order_depends_on_the_seed_and_the_epoch_alone(dataset):
    def indices(epoch: int, seed: int = 3) -> list[int]:
        batches = ShuffledBatches(dataset, batch_size=4, seed=seed, num_workers=0, pin_memory=False)
        return torch.cat([batch[2] for batch in batches.epoch(epoch)]).tolist()

    assert indices(1) == indices(1)
    assert indices(0) != indices(1)
    assert indices(0) != indices(0, seed=4)
    assert len(set(indices(0))) == 8  # two of ten are left over by batches of four


def test_a_set_smaller_than_a_batch_is_one_batch(dataset):
    assert ShuffledBatches(dataset, batch_size=64, seed=0, num_workers=0, pin_memory=False).batch_size == 10


def test_a_crop_is_read_as_it_was_written(dataset):
    crop, labels, index = dataset[3]
    assert np.array_equal(crop.permute(1, 2, 0).numpy(), read_crop(dataset.paths[3]))
    assert {task: int(label) for task, label in labels.items()} == {"identity": 1, "expression": 0}
    assert index == 3


def test_balanced_epochs_draw_each_class_alike_often_and_unlabelled_samples_as_they_are(dataset):
    classes = torch.tensor([0] * 70 + [1] * 20 + [2] * 10 + [NO_LABEL] * 50)
    weights = balanced_weights(classes)
    share = [float(weights[classes == kind].sum() / weights.sum()) for kind in (0, 1, 2, NO_LABEL)]
    assert share == pytest.approx([2 / 9, 2 / 9, 2 / 9, 1 / 3])
    rare = torch.tensor([1] + [0] * 9)
    batches = ShuffledBatches(dataset, batch_size=5, seed=3, num_workers=0, pin_memory=False, balanced=rare)
    epochs = [torch.cat([batch[2] for batch in batches.epoch(epoch)]) for epoch in [*range(40), 7]]
    assert torch.equal(epochs[7], epochs[-1])
    assert not torch.equal(epochs[0], epochs[1])
    drawn = torch.cat(epochs[:40])
    assert (drawn == 0).float().mean().item() == pytest.approx(0.5, abs=0.08)


def test_fewer_crops_than_processes_are_told():
    nothing = CropDataset([], {"identity": np.zeros(0)})
    with pytest.raises(ProtocolError, match="0 crops to train on, and 1 processes"):
        ShuffledBatches(nothing, batch_size=4, seed=0, num_workers=0, pin_memory=False)


def test_crops_kept_in_memory_train_the_same(train, new_network):
    first, second = new_network(), new_network()
    from_files = train(first, compute={"crop_cache_gib": 0.0}).trajectory  # each training asks anew what is kept
    assert from_files.equals(train(second, compute={"crop_cache_gib": 1.0}).trajectory)
