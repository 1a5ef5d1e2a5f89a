"""arcface_torch's `mbf`: a MobileFaceNet of twice the width, for crops of 112 x 112.

Shared features are the input of the last stage, 256 x 14 x 14. Layers have the names of arcface_torch's
`backbone.pth`.
Source: Chen et al. 2018, arXiv:1804.07573; deepinsight/insightface for the widths.
"""

from torch import Tensor, nn

from dwmtl.network.backbone import Backbone, TaskBranch, numbered

TRUNK = "mbf"
EMBEDDING_LENGTH = 512
_LAST_PX = 7


class Layers(nn.Module):
    """A sequence of layers; a residual one adds its input to its output."""

    def __init__(self, *layers: nn.Module, is_residual: bool = False):
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.is_residual = is_residual

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.is_residual else self.layers(x)


class MbfTrunk(nn.Sequential):
    """The stem and all stages but the last: (B, 3, 112, 112) -> (B, 256, 14, 14)."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            _conv(3, 128, 3, stride=2, padding=1),
            _conv(128, 128, 3, padding=1, groups=64),
            _bottleneck(128, 128, 128, stride=2),
            _stage(128, num_blocks=4),
            _bottleneck(128, 256, 256, stride=2),
            _stage(256, num_blocks=6),
        )


class MbfBranch(TaskBranch):
    """The last stage and the embedding: (B, 256, 14, 14) -> (B, 512)."""

    def __init__(self, *, dropout: float):
        super().__init__()
        self.num_features = EMBEDDING_LENGTH
        self.layers = numbered([_bottleneck(256, 512, 256, stride=2), _stage(256, num_blocks=2)], start=6)
        self.conv_sep = _conv(256, 512, 1)
        self.features = Layers(
            _conv(512, 512, _LAST_PX, groups=512, is_linear=True),
            nn.Sequential(nn.Flatten(), nn.Dropout(dropout)),
            nn.Linear(512, EMBEDDING_LENGTH, bias=False),
            nn.BatchNorm1d(EMBEDDING_LENGTH),
        )


def backbone(_name: str, *, dropout: float) -> Backbone:
    """The network `mbf`."""
    return Backbone(MbfTrunk(), lambda _: MbfBranch(dropout=dropout))


def _conv(
    num_in: int,
    num_out: int,
    kernel: int,
    *,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    is_linear: bool = False,
) -> Layers:
    """Convolution without bias, batch norm, and a PReLU unless `is_linear`."""
    conv = nn.Conv2d(num_in, num_out, kernel, stride, padding, groups=groups, bias=False)
    return Layers(conv, nn.BatchNorm2d(num_out), *([] if is_linear else [nn.PReLU(num_out)]))


def _bottleneck(num_in: int, num_inside: int, num_out: int, *, stride: int = 1, is_residual: bool = False) -> Layers:
    """1x1, depthwise 3x3, 1x1 without PReLU."""
    return Layers(
        _conv(num_in, num_inside, 1),
        _conv(num_inside, num_inside, 3, stride=stride, padding=1, groups=num_inside),
        _conv(num_inside, num_out, 1, is_linear=True),
        is_residual=is_residual,
    )


def _stage(num_channels: int, *, num_blocks: int) -> Layers:
    return Layers(*(_bottleneck(num_channels, num_channels, num_channels, is_residual=True) for _ in range(num_blocks)))
