"""arcface_torch's iresnet: a ResNet with batch norm before its convolutions, for crops of 112 x 112.

Shared features are the input of the last stage, 256 x 14 x 14. Layers have the names of arcface_torch's `backbone.pth`.
Source: Deng et al. 2019 (ArcFace, CVPR), section 3.1; Han et al. 2017 for the block.
"""

from torch import Tensor, nn

from dwmtl.network.backbone import Backbone, TaskBranch

NUM_BLOCKS = {
    "iresnet18": (2, 2, 2, 2),
    "iresnet34": (3, 4, 6, 3),
    "iresnet50": (3, 4, 14, 3),
    "iresnet100": (3, 13, 30, 3),
    "iresnet200": (6, 26, 60, 6),
}
"""Blocks of each of the four stages."""

EMBEDDING_LENGTH = 512
_CHANNELS = (64, 64, 128, 256, 512)
_LAST_PX = 7


class Block(nn.Module):
    """Norm, 3x3, norm, PReLU, 3x3 with the stride, norm; a 1x1 in the shortcut where the shape changes."""

    def __init__(self, num_in: int, num_out: int, *, stride: int = 1):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(num_in)
        self.conv1 = nn.Conv2d(num_in, num_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(num_out)
        self.prelu = nn.PReLU(num_out)
        self.conv2 = nn.Conv2d(num_out, num_out, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(num_out)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1 or num_in != num_out:
            self.downsample = nn.Sequential(nn.Conv2d(num_in, num_out, 1, stride, bias=False), nn.BatchNorm2d(num_out))

    def forward(self, x: Tensor) -> Tensor:
        inside = self.bn2(self.conv1(self.bn1(x)))
        return self.bn3(self.conv2(self.prelu(inside))) + self.downsample(x)


class IresnetTrunk(nn.Sequential):
    """The stem and all stages but the last: (B, 3, 112, 112) -> (B, 256, 14, 14)."""

    def __init__(self, num_blocks: tuple[int, ...]):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.prelu = nn.PReLU(64)
        self.layer1 = _stage(1, num_blocks)
        self.layer2 = _stage(2, num_blocks)
        self.layer3 = _stage(3, num_blocks)


class IresnetBranch(TaskBranch):
    """The last stage and the embedding: (B, 256, 14, 14) -> (B, 512)."""

    def __init__(self, num_blocks: tuple[int, ...], *, dropout: float):
        super().__init__()
        self.num_features = EMBEDDING_LENGTH
        self.layer4 = _stage(4, num_blocks)
        self.bn2 = nn.BatchNorm2d(_CHANNELS[4])
        self.dropout = nn.Dropout(dropout)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(_CHANNELS[4] * _LAST_PX**2, EMBEDDING_LENGTH)
        self.features = nn.BatchNorm1d(EMBEDDING_LENGTH)
        self.features.weight.requires_grad_(False)  # as arcface_torch has it


def backbone(name: str, *, dropout: float) -> Backbone:
    """An iresnet by its name, one of `NUM_BLOCKS`."""
    num_blocks = NUM_BLOCKS[name]
    return Backbone(IresnetTrunk(num_blocks), lambda _: IresnetBranch(num_blocks, dropout=dropout))


def _stage(number: int, num_blocks: tuple[int, ...]) -> nn.Sequential:
    num_in, num_out = _CHANNELS[number - 1 : number + 1]
    first = Block(num_in, num_out, stride=2)
    return nn.Sequential(first, *(Block(num_out, num_out) for _ in range(num_blocks[number - 1] - 1)))
