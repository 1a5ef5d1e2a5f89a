import copy

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import nn

from dwmtl.training.batch_norm import SynchronizedBatchNorm, synchronize_batch_norm

FEATURES = torch.randn(6, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def test_a_norm_without_scale_and_shift_is_replaced_too():
    theirs, ours = (nn.Sequential(nn.BatchNorm1d(4, affine=False)) for _ in range(2))
    synchronize_batch_norm(ours)
    vectors = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    for is_training in (True, False):
        torch.testing.assert_close(ours.train(is_training)(vectors), theirs.train(is_training)(vectors))
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(3, momentum=0.3), BatchNormAct2d(3)], ids=["torch", "timm"])
def test_of_one_process_it_is_the_norm_that_it_replaces(norm):
    theirs, ours = nn.Sequential(norm), nn.Sequential(copy.deepcopy(norm))
    synchronize_batch_norm(ours)
    assert isinstance(ours[0], SynchronizedBatchNorm)
    for is_training in (True, True, False):
        torch.testing.assert_close(ours.train(is_training)(FEATURES), theirs.train(is_training)(FEATURES))
        torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
