"""AdaFace's IR networks: iresnet's block with a max-pool as the shortcut where channels stay, for crops of 112 x 112.

Shared features are the input of the last stage, 256 x 14 x 14. Layers have the names of AdaFace's checkpoints, whose
blocks are numbered through all stages.
Source: Kim et al. 2022 (AdaFace, CVPR); Deng et al. 2019 for the network.
"""

from torch import Tensor, nn

from dwmtl.network.backbone import Backbone, TaskBranch, numbered

NUM_BLOCKS = {
    "adaface_ir_18": (2, 2, 2, 2),
    "adaface_ir_34": (3, 4, 6, 3),
    "adaface_ir_50": (3, 4, 14, 3),
    "adaface_ir_101": (3, 13, 30, 3),
}
"""Blocks of each of the four stages."""

EMBEDDING_LENGTH = 512
_CHANNELS = (64, 64, 128, 256, 512)
_LAST_PX = 7


class Block(nn.Module):
    """Norm, 3x3, norm, PReLU, 3x3 with the stride, norm; the shortcut is a max-pool or a 1x1 convolution."""

    def __init__(self, num_in: int, num_out: int, *, stride: int = 1):
        super().__init__()
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        if num_in != num_out:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(num_in, num_out, 1, stride, bias=False), nn.BatchNorm2d(num_out)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(num_in),
            nn.Conv2d(num_in, num_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(num_out),
            nn.PReLU(num_out),
            nn.Conv2d(num_out, num_out, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(num_out),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.res_layer(x) + self.shortcut_layer(x)


class AdafaceTrunk(nn.Sequential):
    """The stem and all stages but the last: (B, 3, 112, 112) -> (B, 256, 14, 14)."""

    def __init__(self, num_blocks: tuple[int, ...]):
        super().__init__()
        self.input_layer = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))
        self.body = nn.Sequential(*_blocks(num_blocks, stages=(1, 2, 3)))


class AdafaceBranch(TaskBranch):
    """The last stage and the embedding: (B, 256, 14, 14) -> (B, 512)."""

    def __init__(self, num_blocks: tuple[int, ...], *, dropout: float):
        super().__init__()
        self.num_features = EMBEDDING_LENGTH
        self.body = numbered(_blocks(num_blocks, stages=(4,)), start=sum(num_blocks[:3]))
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(_CHANNELS[4]),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(_CHANNELS[4] * _LAST_PX**2, EMBEDDING_LENGTH),
            nn.BatchNorm1d(EMBEDDING_LENGTH, affine=False),
        )


def backbone(name: str, *, dropout: float) -> Backbone:
    """An IR network by its name, one of `NUM_BLOCKS`."""
    num_blocks = NUM_BLOCKS[name]
    return Backbone(AdafaceTrunk(num_blocks), lambda _: AdafaceBranch(num_blocks, dropout=dropout))


def _blocks(num_blocks: tuple[int, ...], *, stages: tuple[int, ...]) -> list[Block]:
    blocks = []
    for stage in stages:
        num_in, num_out = _CHANNELS[stage - 1 : stage + 1]
        blocks.append(Block(num_in, num_out, stride=2))
        blocks += [Block(num_out, num_out) for _ in range(num_blocks[stage - 1] - 1)]
    return blocks
