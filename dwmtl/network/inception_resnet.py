"""Inception-ResNet-v1 as in FaceLiveNet and facenet, split into trunk and branch. Knows no task.

Source: the authors' code (hengxyz/Dynamic_multi-task-learning), which takes them from davidsandberg/facenet.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from dwmtl.network.backbone import Backbone, TaskBranch

NUM_BLOCKS = {"facelivenet": (1, 1, 1), "inception_resnet_v1": (5, 10, 5)}
"""Numbers of block35, block17 and block8."""

NUM_TRUNK_CHANNELS = 1792


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch norm that shifts but does not scale, ReLU."""

    def __init__(self, num_in: int, num_out: int, kernel: int | tuple[int, int], *, stride: int = 1, padding="same"):
        super().__init__()
        self.conv = nn.Conv2d(num_in, num_out, kernel, stride, padding, bias=False)
        self.norm = nn.BatchNorm2d(num_out, eps=1e-3)
        self.norm.weight.requires_grad_(False)  # stays 1: the authors train the shift only
        self.relu = nn.ReLU(inplace=True)  # batch norm keeps its input, not its output, for the backward pass


class Residual(nn.Module):
    """A residual block: parallel towers, a 1x1 convolution with bias, scaled and added to the input."""

    def __init__(
        self, towers: Sequence[nn.Module], num_inside: int, num_channels: int, *, scale: float, relu: bool = True
    ):
        super().__init__()
        self.towers = nn.ModuleList(towers)
        self.project = nn.Conv2d(num_inside, num_channels, 1)
        self.scale = scale
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        inside = torch.cat([tower(x) for tower in self.towers], dim=1)
        x = torch.add(x, self.project(inside), alpha=self.scale)
        return functional.relu_(x) if self.relu else x


class Reduction(nn.Module):
    """Parallel towers of stride 2 beside a max-pool, concatenated; halves height and width."""

    def __init__(self, towers: Sequence[nn.Module]):
        super().__init__()
        self.towers = nn.ModuleList(towers)
        self.pool = nn.MaxPool2d(3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([*(tower(x) for tower in self.towers), self.pool(x)], dim=1)


def block35(scale: float = 0.17) -> Residual:
    """256 channels in and out."""
    towers = [
        nn.Sequential(ConvNorm(256, 32, 1)),
        nn.Sequential(ConvNorm(256, 32, 1), ConvNorm(32, 32, 3)),
        nn.Sequential(ConvNorm(256, 32, 1), ConvNorm(32, 32, 3), ConvNorm(32, 32, 3)),
    ]
    return Residual(towers, 96, 256, scale=scale)


def block17(scale: float = 0.10) -> Residual:
    """896 channels in and out."""
    towers = [
        nn.Sequential(ConvNorm(896, 128, 1)),
        nn.Sequential(ConvNorm(896, 128, 1), ConvNorm(128, 128, (1, 7)), ConvNorm(128, 128, (7, 1))),
    ]
    return Residual(towers, 256, 896, scale=scale)


def block8(num_channels: int = NUM_TRUNK_CHANNELS, *, scale: float = 0.20, relu: bool = True) -> Residual:
    """The same number of channels in and out."""
    towers = [
        nn.Sequential(ConvNorm(num_channels, 192, 1)),
        nn.Sequential(ConvNorm(num_channels, 192, 1), ConvNorm(192, 192, (1, 3)), ConvNorm(192, 192, (3, 1))),
    ]
    return Residual(towers, 384, num_channels, scale=scale, relu=relu)


def stem() -> nn.Sequential:
    """(B, 3, H, W) -> (B, 256, h, w), h about H/9: 160 -> 17, 112 -> 11."""
    return nn.Sequential(
        ConvNorm(3, 32, 3, stride=2, padding="valid"),
        ConvNorm(32, 32, 3, padding="valid"),
        ConvNorm(32, 64, 3),
        nn.MaxPool2d(3, stride=2),
        ConvNorm(64, 80, 1),
        ConvNorm(80, 192, 3, padding="valid"),
        ConvNorm(192, 256, 3, stride=2, padding="valid"),
    )


def reduction_a() -> Reduction:
    """256 -> 896 channels."""
    return Reduction(
        [
            nn.Sequential(ConvNorm(256, 384, 3, stride=2, padding="valid")),
            nn.Sequential(
                ConvNorm(256, 192, 1), ConvNorm(192, 192, 3), ConvNorm(192, 256, 3, stride=2, padding="valid")
            ),
        ]
    )


def reduction_b() -> Reduction:
    """896 -> 1792 channels."""
    return Reduction(
        [
            nn.Sequential(ConvNorm(896, 256, 1), ConvNorm(256, 384, 3, stride=2, padding="valid")),
            nn.Sequential(ConvNorm(896, 256, 1), ConvNorm(256, 256, 3, stride=2, padding="valid")),
            nn.Sequential(
                ConvNorm(896, 256, 1), ConvNorm(256, 256, 3), ConvNorm(256, 256, 3, stride=2, padding="valid")
            ),
        ]
    )


class InceptionResnetTrunk(nn.Sequential):
    """Standardised crops (B, 3, S, S) -> shared features (B, 1792, s, s): 160 px -> 3x3, 112 px -> 2x2."""

    def __init__(self, *, num_block35: int, num_block17: int):
        super().__init__()
        self.stem = stem()
        self.block35 = nn.Sequential(*(block35() for _ in range(num_block35)))
        self.reduction_a = reduction_a()
        self.block17 = nn.Sequential(*(block17() for _ in range(num_block17)))
        self.reduction_b = reduction_b()


class Branch(TaskBranch):
    """A task's branch: shared features (B, C, s, s) -> a vector per face, (B, C) or (B, bottleneck).

    Args:
        num_channels: C.
        num_block8: number of residual blocks of scale 0.20, which one of scale 1 without ReLU follows.
        dropout: probability to drop a value of the pooled vector, in training.
        bottleneck: length of the output of a linear layer without bias, followed by batch norm; None: no such layer.
    """

    def __init__(self, num_channels: int, *, num_block8: int, dropout: float, bottleneck: int | None = None):
        super().__init__()
        self.num_features = bottleneck or num_channels
        self.blocks = nn.Sequential(
            *(block8(num_channels) for _ in range(num_block8)), block8(num_channels, scale=1.0, relu=False)
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        if bottleneck is not None:
            norm = nn.BatchNorm1d(bottleneck, eps=1e-3)
            norm.weight.requires_grad_(False)  # as in `ConvNorm`
            self.bottleneck = nn.Sequential(nn.Linear(num_channels, bottleneck, bias=False), norm)


def backbone(name: str, *, dropout: float) -> Backbone:
    """An Inception-ResNet-v1 by its name, one of `NUM_BLOCKS`."""
    num_block35, num_block17, num_block8 = NUM_BLOCKS[name]
    return Backbone(
        InceptionResnetTrunk(num_block35=num_block35, num_block17=num_block17),
        lambda bottleneck: Branch(NUM_TRUNK_CHANNELS, num_block8=num_block8, dropout=dropout, bottleneck=bottleneck),
    )
