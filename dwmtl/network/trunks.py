"""The backbones by the names in `params.yaml`."""

from torch import nn

from dwmtl.network import adaface, inception_resnet, iresnet, mbf, mobilefacenet, timm_trunk
from dwmtl.network.backbone import Backbone

_FAMILIES = {
    **dict.fromkeys(inception_resnet.NUM_BLOCKS, inception_resnet.backbone),
    **dict.fromkeys(iresnet.NUM_BLOCKS, iresnet.backbone),
    **dict.fromkeys(adaface.NUM_BLOCKS, adaface.backbone),
    mbf.TRUNK: mbf.backbone,
    mobilefacenet.TRUNK: mobilefacenet.backbone,
}


def make_backbone(name: str, *, dropout: float) -> Backbone:
    """Make a backbone by its name, `network.trunk` of the params.

    Args:
        dropout: probability of dropping a value before a branch's last linear layer, in training.
    """
    return _FAMILIES.get(name, timm_trunk.backbone)(name, dropout=dropout)


def last_layer(trunk: nn.Module) -> nn.Module:
    """A trunk's last block with parameters: the tasks' last shared layer."""
    parts = [trunk]
    while len(parts) == 1:  # unwrap a network wrapped in another
        trunk = parts[0]
        parts = _with_parameters(trunk)
    last = parts[-1] if parts else trunk
    while type(last) is nn.Sequential:  # a stage: its last block
        last = _with_parameters(last)[-1]
    return last


def _with_parameters(module: nn.Module) -> list[nn.Module]:
    return [part for part in module.children() if any(True for _ in part.parameters())]
