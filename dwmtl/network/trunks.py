"""The trunks by the names that `params.yaml` uses: standardised crops in, shared features out."""

from dataclasses import dataclass

from torch import Tensor, nn

from dwmtl.errors import ParamsError
from dwmtl.network.inception_resnet import NUM_TRUNK_CHANNELS, InceptionResnetTrunk

TIMM = "timm:"
_INCEPTION_RESNETS = {
    "facelivenet": {"num_block35": 1, "num_block17": 1, "num_block8": 1},
    "inception_resnet_v1": {"num_block35": 5, "num_block17": 10, "num_block8": 5},
}


@dataclass(frozen=True)
class TrunkShape:
    """A trunk and what its branches must know of it.

    Attributes:
        trunk: (B, 3, S, S) -> (B, num_channels, s, s).
        num_block8: blocks that a branch on it has before its last one.
    """

    trunk: nn.Module
    num_channels: int
    num_block8: int


class TimmTrunk(nn.Module):
    """The last feature map of a backbone of timm, with its own initial weights (nothing is downloaded).

    Raises:
        ParamsError: timm has no such model, or it gives no feature maps.
    """

    def __init__(self, name: str):
        import timm  # seconds, and the other trunks do without

        super().__init__()
        try:
            self.backbone = timm.create_model(name, pretrained=False, features_only=True)
        except (RuntimeError, AttributeError, ValueError, TypeError, AssertionError) as error:
            raise ParamsError(
                f"network.trunk is {TIMM}{name}: timm makes no feature maps of it ({error}). Choose one of "
                "`timm.list_models()`."
            ) from None
        self.num_channels = self.backbone.feature_info.channels()[-1]

    def forward(self, crops: Tensor) -> Tensor:
        features = self.backbone(crops)[-1]
        if features.shape[1] != self.num_channels and features.shape[-1] == self.num_channels:
            features = features.permute(0, 3, 1, 2)  # some of timm's have their channels last
        return features


def make_trunk(name: str) -> TrunkShape:
    """A trunk by its name: `facelivenet`, `inception_resnet_v1` or `timm:<model>`."""
    if name.startswith(TIMM):
        trunk = TimmTrunk(name.removeprefix(TIMM))
        return TrunkShape(trunk, trunk.num_channels, num_block8=0)
    blocks = _INCEPTION_RESNETS[name]
    trunk = InceptionResnetTrunk(num_block35=blocks["num_block35"], num_block17=blocks["num_block17"])
    return TrunkShape(trunk, NUM_TRUNK_CHANNELS, blocks["num_block8"])


def last_layer(trunk: nn.Module) -> nn.Module:
    """The last part of a trunk that has parameters: the tasks' last shared layer."""
    parts = [trunk]
    while len(parts) == 1:  # a whole network wrapped in another is no part
        trunk = parts[0]
        parts = [part for part in trunk.children() if any(True for _ in part.parameters())]
    return parts[-1] if parts else trunk
