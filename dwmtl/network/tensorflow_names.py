"""Names and axes in our network of the variables of the authors' TensorFlow graph. Reads no file.

Source: the variable names of the authors' code and of davidsandberg/facenet (both TensorFlow slim).
"""

import re

import numpy as np
import torch
from torch import Tensor

_STEM = {"1a_3x3": 0, "2a_3x3": 1, "2b_3x3": 2, "3b_1x1": 4, "4a_3x3": 5, "4b_3x3": 6}
_LEAVES = {
    "weights": "weight",
    "biases": "bias",
    "BatchNorm/beta": "norm.bias",
    "BatchNorm/gamma": "norm.weight",
    "BatchNorm/moving_mean": "norm.running_mean",
    "BatchNorm/moving_variance": "norm.running_var",
}
_HEADS = {
    "Logits_verif": "heads.identity",
    "Logits_0": "heads.expression.0",
    "Logits": "heads.expression.2",
    "Logits_lossweights": "unit",
}
_FACENET_HEADS = {"Logits": "heads.identity"}
_BOTTLENECK = "InceptionResnetV1/Bottleneck"
_LAYER = re.compile(r"Conv2d_(?P<stem>\w+)|(?P<block>[\w/]+?)/(?:Branch_(?P<tower>\d)/)?(?P<conv>Conv2d_\w+)")


def torch_name(variable: str, *, variables: set[str]) -> str | None:
    """The name in `FaceNetwork.state_dict()` (or `unit....`) of a TensorFlow variable.

    Args:
        variable: e.g. `InceptionResnetV1/Mixed_6a/Branch_1/Conv2d_0a_1x1/BatchNorm/beta`.
        variables: all names of the checkpoint: a tower's convolutions are numbered by their names' order, and `Logits`
            are expressions in FaceLiveNet, identities in facenet.
    Returns:
        None for a variable without a counterpart (optimiser slots, moving averages, the step, the class centres).
    """
    leaf = next((leaf for leaf in _LEAVES if variable.endswith("/" + leaf)), None)
    if leaf is None:
        return None
    scope = variable.removesuffix("/" + leaf)
    heads = _HEADS if "Logits_verif/weights" in variables else _FACENET_HEADS
    if scope in heads:
        return f"{heads[scope]}.{_LEAVES[leaf]}"
    if scope == _BOTTLENECK:
        layer = "0." if leaf == "weights" else "1."
        return f"branches.identity.bottleneck.{layer}{_LEAVES[leaf].removeprefix('norm.')}"
    network, _, layer = scope.partition("/")
    match = _LAYER.fullmatch(layer)
    if network not in ("InceptionResnetV1", "InceptionResnetV1_expression") or match is None:
        return None
    if match["stem"]:
        place = f"trunk.stem.{_STEM[match['stem']]}"
    else:
        block = _block(network, match["block"], variables)
        if match["tower"] is None:
            return f"{block}.project.{_LEAVES[leaf]}"
        tower = f"{network}/{match['block']}/Branch_{match['tower']}/"
        convs = sorted({name.removeprefix(tower).split("/")[0] for name in variables if name.startswith(tower)})
        place = f"{block}.towers.{match['tower']}.{convs.index(match['conv'])}"
    return f"{place}.conv.weight" if leaf == "weights" else f"{place}.{_LEAVES[leaf]}"


def _block(network: str, block: str, variables: set[str]) -> str:
    """Our name of a residual or reduction block."""
    if block in ("Mixed_6a", "Mixed_7a"):
        return {"Mixed_6a": "trunk.reduction_a", "Mixed_7a": "trunk.reduction_b"}[block]
    branch = "branches.expression.blocks" if network.endswith("_expression") else "branches.identity.blocks"
    if block == "Block8":
        repeated = re.compile(network + r"/Repeat(?:_2)?/block8_(\d+)/")
        return f"{branch}.{len({match[1] for match in map(repeated.match, variables) if match})}"
    kind, _, number = block.rpartition("/")[2].partition("_")
    return f"{branch}.{int(number) - 1}" if kind == "block8" else f"trunk.{kind}.{int(number) - 1}"


def torch_value(variable: str, value: np.ndarray, *, feature_shape: tuple[int, int, int]) -> Tensor:
    """A TensorFlow variable's value with our order of axes.

    Kernels (height, width, in, out) -> (out, in, height, width); dense kernels (in, out) -> (out, in). The
    dynamic-weight unit's inputs are flattened from (height, width, channel) there, from (channel, height, width) here.

    Args:
        feature_shape: (channels, height, width) of the shared features.
    """
    if variable == "Logits_lossweights/weights":
        channels, height, width = feature_shape
        value = value.reshape(height, width, channels, -1).transpose(3, 2, 0, 1).reshape(-1, channels * height * width)
    elif value.ndim == 4:
        value = value.transpose(3, 2, 0, 1)
    elif value.ndim == 2:
        value = value.T
    return torch.from_numpy(np.ascontiguousarray(value))
