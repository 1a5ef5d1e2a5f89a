"""Networks that other projects publish: how their files are recognised, their names of our network's weights, and the
input that the networks expect. Reads no file."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dwmtl.errors import ModelFileError
from dwmtl.network import adaface, iresnet, mbf, mobilefacenet
from dwmtl.network.facenet_pytorch_names import facenet_pytorch_name
from dwmtl.network.network import FaceNetwork
from dwmtl.network.params import MeanStd
from dwmtl.network.timm_trunk import TIMM, TimmTrunk


@dataclass(frozen=True)
class ExpectedInput:
    """What a network expects of a crop; None: not given.

    Attributes:
        crop_px, margin_px, crop_form: as in the section `align` of the params.
        channel_order, standardization: as in the section `network`.
    """

    crop_px: int | list[int] | None = None
    margin_px: int | None = None
    crop_form: str | None = None
    channel_order: str | None = None
    standardization: str | MeanStd | None = None

    def overridden(self, by: "ExpectedInput") -> "ExpectedInput":
        """The same input with the values that are given in `by`."""
        return ExpectedInput(**vars(self) | {key: value for key, value in vars(by).items() if value is not None})


@dataclass(frozen=True)
class Project:
    """The form of a project's files.

    Attributes:
        name: name of the project.
        wrapper: key of the state dict in the file; None: the file is the state dict.
        prefix: beginning of the names of the network's entries.
        expects: what its networks expect of a crop.
        dropout: probability of dropout before the last linear layer.
        is_whole: whether every entry with the prefix must be matched; an unmatched one is of another network.
    """

    name: str
    wrapper: str | None
    prefix: str
    expects: ExpectedInput
    dropout: float
    is_whole: bool = True


FACENET_PYTORCH = Project(
    name="facenet-pytorch",
    wrapper=None,
    prefix="",
    expects=ExpectedInput(160, 14, "margin_in_crop", "rgb", "fixed"),
    dropout=0.6,
    is_whole=False,
)
ARCFACE_TORCH = Project(
    name="arcface_torch",
    wrapper=None,
    prefix="",
    expects=ExpectedInput(112, 0, "similarity", "rgb", "minus_one_to_one"),
    dropout=0.0,
)
ADAFACE = Project(
    name="AdaFace",
    wrapper="state_dict",
    prefix="model.",
    expects=ExpectedInput(112, 0, "similarity", "bgr", "minus_one_to_one"),
    dropout=0.4,
)
MOBILEFACENET = Project(
    name="MobileFaceNet",
    wrapper="net_state_dict",
    prefix="",
    expects=ExpectedInput([112, 96], 0, "similarity", "rgb", "fixed"),
    dropout=0.0,
)
TIMM_PROJECT = Project(
    name="timm",
    wrapper=None,
    prefix="",
    expects=ExpectedInput(margin_px=14, crop_form="margin_in_crop", channel_order="rgb"),  # the rest is a model's
    dropout=0.0,
    is_whole=False,
)

_PROJECTS = {
    "inception_resnet_v1": FACENET_PYTORCH,
    **dict.fromkeys((*iresnet.NUM_BLOCKS, mbf.TRUNK), ARCFACE_TORCH),
    **dict.fromkeys(adaface.NUM_BLOCKS, ADAFACE),
    mobilefacenet.TRUNK: MOBILEFACENET,
}
_PREFIXES = ("", "model.", "module.")  # "module." is of torch's DataParallel


def project_of(trunk: str) -> Project | None:
    """The project that published a trunk's network; None for the authors' FaceLiveNet, whose files are TensorFlow's."""
    return TIMM_PROJECT if trunk.startswith(TIMM) else _PROJECTS.get(trunk)


def recognised(names: Iterable[str]) -> tuple[str, str]:
    """Recognise the trunk of a state dict by the names of its entries. Returns the trunk and the prefix of the names.

    Raises:
        ModelFileError: the names are of no known network, or of one of another depth.
    """
    names = set(names)
    for prefix in _PREFIXES:
        trunk = _trunk_of({name.removeprefix(prefix) for name in names if name.startswith(prefix)})
        if trunk is not None:
            return trunk, prefix
    shown = ", ".join(sorted(names)[:3]) or "none"
    raise ModelFileError(
        f"its entries ({shown}, ...) are those of no network that dwmtl knows: arcface_torch's iresnet and mbf, "
        "AdaFace's IR, MobileFaceNet, facenet-pytorch's InceptionResnetV1. For a backbone of timm give --trunk "
        "timm:<name>."
    )


def _trunk_of(names: set[str]) -> str | None:
    if "conv2d_1a.conv.weight" in names:
        return "inception_resnet_v1"
    if "conv_sep.layers.0.weight" in names:
        return mbf.TRUNK
    if "linear7.conv.weight" in names:
        return mobilefacenet.TRUNK
    if "layer1.0.prelu.weight" in names:
        num_blocks = tuple(_num_numbered(names, rf"layer{stage}\.(\d+)\.") for stage in range(1, 5))
        return _of_depth(num_blocks, iresnet.NUM_BLOCKS)
    if "body.0.res_layer.0.weight" in names:
        depth = _num_numbered(names, r"body\.(\d+)\.")
        return _of_depth(depth, {name: sum(blocks) for name, blocks in adaface.NUM_BLOCKS.items()})
    return None


def _num_numbered(names: set[str], pattern: str) -> int:
    return len({match[1] for match in map(re.compile(pattern).match, names) if match})


def _of_depth(num_blocks: object, depths: Mapping[str, object]) -> str:
    for name, depth in depths.items():
        if depth == num_blocks:
            return name
    listed = ", ".join(f"{name} {depth}" for name, depth in depths.items())
    raise ModelFileError(f"it has {num_blocks} blocks, and no network that dwmtl knows has: {listed}.")


def published_names(network: FaceNetwork, trunk: str) -> dict[str, str]:
    """A name in our network's state dict -> its name in the published network.

    Branches and heads of other tasks are left out.
    """
    ours = list(network.state_dict())
    if isinstance(network.trunk, TimmTrunk):
        return {f"trunk.{name}": theirs for name, theirs in network.trunk.names_in_timm().items()}
    if trunk == "inception_resnet_v1":
        names = {name: facenet_pytorch_name(name, names=set(ours)) for name in ours}
        return {name: theirs for name, theirs in names.items() if theirs is not None}
    parts = ("trunk.", "branches.identity.")
    return {name: name.removeprefix(part) for part in parts for name in ours if name.startswith(part)}
