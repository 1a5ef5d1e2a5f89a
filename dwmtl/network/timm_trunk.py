"""Backbones of timm as trunks, and their published weights. The owner of timm's models."""

from typing import Any

from torch import Tensor, nn

from dwmtl.errors import ModelFileError, ParamsError
from dwmtl.network.backbone import Backbone
from dwmtl.network.inception_resnet import Branch
from dwmtl.network.params import MeanStd

TIMM = "timm:"
_CANNOT_BUILD = (RuntimeError, AttributeError, ValueError, TypeError, AssertionError)


class TimmTrunk(nn.Module):
    """The last feature map of a backbone of timm, with timm's initial weights (nothing is downloaded).

    Args:
        name: timm's name of the model, without `timm:`.
    Raises:
        ParamsError: timm has no such model, or the model has no feature maps.
    """

    backbone: Any  # timm sets its attributes at run time

    def __init__(self, name: str):
        super().__init__()
        self.name = name
        self.backbone = _feature_maps(name, pretrained=False)
        self.num_channels = self.backbone.feature_info.channels()[-1]

    def forward(self, crops: Tensor) -> Tensor:
        features = self.backbone(crops)[-1]
        if features.shape[1] != self.num_channels and features.shape[-1] == self.num_channels:
            features = features.permute(0, 3, 1, 2)  # some models of timm are channels-last
        return features

    def expected_standardization(self) -> MeanStd:
        """Standardisation with which timm's published weights were trained."""
        config = self.backbone.pretrained_cfg
        return MeanStd(mean=[float(value) for value in config["mean"]], std=[float(value) for value in config["std"]])

    def expected_crop_px(self) -> int | list[int]:
        """Side, or height and width, of the crops that timm's published weights were trained on."""
        height, width = self.backbone.pretrained_cfg["input_size"][1:]
        return height if height == width else [height, width]

    def names_in_timm(self) -> dict[str, str]:
        """A name in the trunk's state dict -> its name in timm's whole model.

        A model for feature maps has flattened sequences (`stages_0` is `stages.0`) or is wrapped.
        """
        import timm

        whole = timm.create_model(self.name, pretrained=False).state_dict()
        by_flat_name = {name.replace(".", "_"): name for name in whole}
        names = {}
        for name in self.state_dict():
            flat = name.removeprefix("backbone.").replace(".", "_")
            names[name] = by_flat_name.get(flat) or by_flat_name[flat.removeprefix("model_")]
        return names


def backbone(name: str, *, dropout: float) -> Backbone:
    """A backbone of timm by its name with `timm:`; a branch is one residual block and pooling."""
    trunk = TimmTrunk(name.removeprefix(TIMM))
    return Backbone(
        trunk, lambda bottleneck: Branch(trunk.num_channels, num_block8=0, dropout=dropout, bottleneck=bottleneck)
    )


def fill_pretrained(trunk: nn.Module, standardization: object) -> None:
    """Fill a trunk of timm with published weights, downloaded into Hugging Face's cache unless they are there.

    Args:
        standardization: `network.standardization` of the params, which must be that of the weights.
    Raises:
        ParamsError: the weights were trained with another standardisation.
        ModelFileError: the weights could not be downloaded, or timm has none.
    """
    assert isinstance(trunk, TimmTrunk)  # NetworkParams allows `pretrained` for no other
    expected = trunk.expected_standardization()
    if standardization != expected:
        raise ParamsError(
            f"network.pretrained: the weights of {TIMM}{trunk.name} expect another standardisation. Set "
            f"network.standardization to {{mean: {expected.mean}, std: {expected.std}}}."
        )
    try:
        weights = _feature_maps(trunk.name, pretrained=True).state_dict()
    except (OSError, ParamsError) as error:  # huggingface_hub raises OSErrors
        reason = str(error).splitlines()[0]
        raise ModelFileError(
            f"{TIMM}{trunk.name}: timm could not get its weights ({reason}). Download its model.safetensors elsewhere "
            "and import the file: dwmtl import-checkpoint."
        ) from None
    trunk.backbone.load_state_dict(weights)


def _feature_maps(name: str, *, pretrained: bool) -> Any:
    import timm  # slow to import, and other trunks do not need it

    try:
        return timm.create_model(name, pretrained=pretrained, features_only=True)
    except _CANNOT_BUILD as error:
        raise ParamsError(
            f"network.trunk is {TIMM}{name}: timm makes no feature maps of it ({error}). Choose one of "
            "`timm.list_models()`."
        ) from None
