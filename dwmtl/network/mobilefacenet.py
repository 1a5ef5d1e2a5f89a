"""MobileFaceNet with 1.0 million parameters, for crops 112 high and 96 wide.

Shared features are the output of the 12th of its 15 bottlenecks, 128 x 14 x 12. Layers have the names of the public
PyTorch checkpoints that hold `net_state_dict`.
Source: Chen et al. 2018, arXiv:1804.07573.
"""

from torch import Tensor, nn

from dwmtl.network.backbone import Backbone, TaskBranch, numbered

TRUNK = "mobilefacenet"
EMBEDDING_LENGTH = 128
_NUM_TRUNK_BLOCKS = 12
_LAST_PX = (7, 6)
_BLOCKS = [
    *[(64, 64, 2, 2), *[(64, 64, 2, 1)] * 4],
    *[(64, 128, 4, 2), *[(128, 128, 2, 1)] * 6],
    *[(128, 128, 4, 2), *[(128, 128, 2, 1)] * 2],
]
"""Channels in and out, expansion inside, stride."""


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch norm, and a PReLU unless `is_linear`."""

    def __init__(
        self,
        num_in: int,
        num_out: int,
        kernel: int | tuple[int, int],
        *,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        is_linear: bool = False,
    ):
        super().__init__()
        self.conv = nn.Conv2d(num_in, num_out, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(num_out)
        if not is_linear:
            self.prelu = nn.PReLU(num_out)


class Bottleneck(nn.Module):
    """Widening 1x1, depthwise 3x3, narrowing 1x1 without PReLU; a residual block where the shapes agree."""

    def __init__(self, num_in: int, num_out: int, expansion: int, stride: int):
        super().__init__()
        num_inside = num_in * expansion
        self.conv = nn.Sequential(
            nn.Conv2d(num_in, num_inside, 1, bias=False),
            nn.BatchNorm2d(num_inside),
            nn.PReLU(num_inside),
            nn.Conv2d(num_inside, num_inside, 3, stride, padding=1, groups=num_inside, bias=False),
            nn.BatchNorm2d(num_inside),
            nn.PReLU(num_inside),
            nn.Conv2d(num_inside, num_out, 1, bias=False),
            nn.BatchNorm2d(num_out),
        )
        self.is_residual = stride == 1 and num_in == num_out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.is_residual else self.conv(x)


class MobileFaceNetTrunk(nn.Sequential):
    """The stem and 12 bottlenecks: (B, 3, 112, 96) -> (B, 128, 14, 12)."""

    def __init__(self):
        super().__init__()
        self.conv1 = ConvNorm(3, 64, 3, stride=2, padding=1)
        self.dw_conv1 = ConvNorm(64, 64, 3, padding=1, groups=64)
        self.blocks = nn.Sequential(*(Bottleneck(*shape) for shape in _BLOCKS[:_NUM_TRUNK_BLOCKS]))


class MobileFaceNetBranch(TaskBranch):
    """The last 3 bottlenecks and the embedding: (B, 128, 14, 12) -> (B, 128)."""

    def __init__(self, *, dropout: float):
        super().__init__()
        self.num_features = EMBEDDING_LENGTH
        last = (Bottleneck(*shape) for shape in _BLOCKS[_NUM_TRUNK_BLOCKS:])
        self.blocks = numbered(last, start=_NUM_TRUNK_BLOCKS)
        self.conv2 = ConvNorm(128, 512, 1)
        self.linear7 = ConvNorm(512, 512, _LAST_PX, groups=512, is_linear=True)
        self.dropout = nn.Dropout(dropout)
        self.linear1 = ConvNorm(512, EMBEDDING_LENGTH, 1, is_linear=True)
        self.flatten = nn.Flatten()


def backbone(_name: str, *, dropout: float) -> Backbone:
    """MobileFaceNet."""
    return Backbone(MobileFaceNetTrunk(), lambda _: MobileFaceNetBranch(dropout=dropout))
