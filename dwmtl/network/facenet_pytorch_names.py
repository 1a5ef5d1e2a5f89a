"""Names of the weights of our `inception_resnet_v1` in facenet-pytorch's `InceptionResnetV1`. Reads no file.

Source: the attribute names of timesler/facenet-pytorch; the architecture is the same, so the weights interchange.
"""

import re

_STEM = {"0": "conv2d_1a", "1": "conv2d_2a", "2": "conv2d_2b", "4": "conv2d_3b", "5": "conv2d_4a", "6": "conv2d_4b"}
_WHOLE = {
    "branches.identity.bottleneck.0": "last_linear",
    "branches.identity.bottleneck.1": "last_bn",
    "heads.identity": "logits",
}
_BLOCK = re.compile(r"(trunk\.\w+|branches\.identity\.blocks)(?:\.(\d+))?\.(?:towers\.(\d)\.(\d)|project)")
NUM_BLOCK8 = 5


def facenet_pytorch_name(name: str, *, names: set[str]) -> str | None:
    """The name in facenet-pytorch of a weight of ours: `trunk.stem.0.norm.bias` -> `conv2d_1a.bn.bias`.

    Args:
        names: all names of our weights; the result depends on the number of convolutions of a tower.
    Returns:
        None for a weight that facenet-pytorch does not have (branches and heads of other tasks).
    """
    layer, _, leaf = name.rpartition(".")
    if layer in _WHOLE:
        return f"{_WHOLE[layer]}.{leaf}"
    if stem := re.fullmatch(r"trunk\.stem\.(\d)\.(conv|norm)", layer):
        return f"{_STEM[stem[1]]}.{_part(stem[2])}.{leaf}"
    block, _, kind = layer.rpartition(".") if layer.endswith((".conv", ".norm")) else (layer, "", "")
    match = _BLOCK.fullmatch(block)
    if match is None:
        return None
    place = _place(match[1], match[2] or "")
    if match[3] is None:
        return f"{place}.conv2d.{leaf}"
    tower = block.rpartition(".")[0]
    has_several = f"{tower}.1.conv.weight" in names
    return f"{place}.branch{match[3]}.{match[4] + '.' if has_several else ''}{_part(kind)}.{leaf}"


def _part(kind: str) -> str:
    return {"conv": "conv", "norm": "bn"}[kind]


def _place(part: str, number: str) -> str:
    """facenet-pytorch's name of a block; `number` is empty for a part with one block."""
    if part == "branches.identity.blocks":
        return f"repeat_3.{number}" if int(number) < NUM_BLOCK8 else "block8"
    whole = {"trunk.reduction_a": "mixed_6a", "trunk.reduction_b": "mixed_7a"}
    return whole.get(part) or f"{ {'trunk.block35': 'repeat_1', 'trunk.block17': 'repeat_2'}[part] }.{number}"
