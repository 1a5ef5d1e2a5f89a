"""Weights of other projects in our own form: what was matched, what was skipped, what stays at its initial values."""

import hashlib
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from dwmtl.errors import ModelFileError
from dwmtl.network.facenet_pytorch_checkpoint import PUBLISHED, published_file, read_state_dict
from dwmtl.network.facenet_pytorch_names import facenet_pytorch_name
from dwmtl.network.model_file import (
    CARD_FILE,
    METHOD_FILE,
    ModelCard,
    TaskCard,
    build_network,
    checked_weights,
    load_model,
)
from dwmtl.network.network import EXPRESSION, IDENTITY, FaceNetwork
from dwmtl.network.params import HeadParams, HiddenHeadParams, LinearHeadParams, NetworkParams
from dwmtl.network.tensorflow_checkpoint import convert, read_variables

Standardization = Literal["per_image", "fixed"]
_TRUNKS = {1: "facelivenet", 5: "inception_resnet_v1"}
_COUNTERS = ("num_batches_tracked",)
_UNSCALED = (*_COUNTERS, "norm.weight", "bottleneck.1.weight")  # constants that TensorFlow does not store


@dataclass(frozen=True)
class Imported:
    """A model made of another project's weights.

    Attributes:
        method: state of the method beside the network (`unit.weight`, `unit.bias`, `centers`), where the source had it.
        matched: a name of the source -> the name in our network (or in `method`).
        skipped: names of the source that have no place here.
        initial: names of our network that the source does not have: heads, which belong to a set's classes.
    """

    network: FaceNetwork
    card: ModelCard
    method: dict[str, Tensor] = field(default_factory=dict)
    matched: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    initial: list[str] = field(default_factory=list)


def import_checkpoint(
    source: str, *, crop_px: int, margin_px: int, standardization: Standardization | None, classes: dict[str, list[str]]
) -> Imported:
    """Read a checkpoint, whatever of the known forms it has.

    Args:
        source: the prefix of a TensorFlow V2 checkpoint (the authors' FaceLiveNet, or a FaceNet); a `.pt` file of
            facenet-pytorch, or one of PUBLISHED; or a model's folder of ours.
        crop_px, margin_px: how its crops were aligned, which no foreign file says.
        standardization: `per_image` or `fixed`; None: what the project is known for (the authors per image,
            facenet-pytorch and facenet since 2018 fixed).
        classes: class names by task, in the order of the logits; a task that is not named gets numbered ones.
    Raises:
        ModelFileError: the source is none of these or damaged, a weight of a trunk or branch is missing, a shape
            differs, or the names of the classes are not as many as its logits. Nothing is imported in part.
    """
    path = Path(source)
    if (path / CARD_FILE).is_file():
        if classes:
            raise ModelFileError(f"{source}: a model of dwmtl has class names of its own. Leave --classes out.")
        network, card = load_model(path)
        method = checked_weights(path, card, METHOD_FILE) if (path / METHOD_FILE).exists() else {}
        return Imported(network, card, method, {name: name for name in network.state_dict()})
    if (prefix := _tensorflow_prefix(path)) is not None:
        return _from_tensorflow(prefix, standardization, classes, crop_px=crop_px, margin_px=margin_px)
    if source in PUBLISHED or path.suffix in (".pt", ".pth"):
        return _from_facenet_pytorch(source, standardization or "fixed", classes, crop_px=crop_px, margin_px=margin_px)
    raise ModelFileError(
        f"{source}: no checkpoint that dwmtl reads: a TensorFlow V2 checkpoint's prefix (`model.ckpt` beside "
        f"`model.ckpt.index`), a facenet-pytorch .pt file or its name ({', '.join(PUBLISHED)}), or a folder with "
        f"{CARD_FILE}."
    )


def _tensorflow_prefix(path: Path) -> Path | None:
    if path.suffix == ".index" and path.is_file():
        return path.with_suffix("")
    return path if path.name and path.with_name(path.name + ".index").is_file() else None


def _from_tensorflow(
    prefix: Path,
    standardization: Standardization | None,
    classes: dict[str, list[str]],
    *,
    crop_px: int,
    margin_px: int,
) -> Imported:
    variables = read_variables(prefix)
    num_blocks = len({m[1] for m in map(re.compile(r"InceptionResnetV1/.*block35_(\d+)/").match, variables) if m})
    if num_blocks not in _TRUNKS:
        raise ModelFileError(
            f"{prefix}: {num_blocks} block35 in InceptionResnetV1; FaceLiveNet has 1 and FaceNet 5. It is neither."
        )
    is_live = any(name.startswith("InceptionResnetV1_expression/") for name in variables)
    unit = variables.get("Logits_lossweights/weights")
    side = 1 if unit is None else math.isqrt(len(unit) // 1792)
    read = convert(variables, feature_shape=(1792, side, side))
    bottleneck = read.network.get("branches.identity.bottleneck.0.weight")
    body = NetworkParams(
        trunk=_TRUNKS[num_blocks],
        bottleneck=None if bottleneck is None else len(bottleneck),
        standardization=standardization or ("per_image" if is_live else "fixed"),
        dropout=0.5,
        batch_norm_momentum=0.005,
        linear_sigma=0.1,
    )
    heads = {IDENTITY: "heads.identity.bias"}
    if is_live:
        heads[EXPRESSION] = "heads.expression.2.bias"
    card = ModelCard(
        network=body,
        crop_px=crop_px,
        margin_px=margin_px,
        tasks=_task_cards(prefix.name, heads, read.network, classes),
        provenance=_provenance("tensorflow", sorted(prefix.parent.glob(prefix.name + ".*"))),
    )
    method = dict(read.unit) | ({} if read.centers is None else {"centers": read.centers})
    matched = {source: name for name, source in read.sources.items()}
    return _filled(prefix.name, card, read.network, method, matched, read.skipped, constants=_UNSCALED)


def _from_facenet_pytorch(
    source: str, standardization: Standardization, classes: dict[str, list[str]], *, crop_px: int, margin_px: int
) -> Imported:
    file = published_file(source) if source in PUBLISHED else Path(source)
    theirs = read_state_dict(file)
    bottleneck = theirs.get("last_linear.weight")
    if bottleneck is None:
        raise ModelFileError(f"{source}: no last_linear.weight: not facenet-pytorch's InceptionResnetV1.")
    body = NetworkParams(
        trunk="inception_resnet_v1",
        bottleneck=len(bottleneck),
        standardization=standardization,
        dropout=0.6,
        batch_norm_momentum=0.1,
        linear_sigma=0.1,
    )
    tasks = _task_cards(source, {IDENTITY: "logits.bias"}, theirs, classes)
    provenance = _provenance("facenet-pytorch", [file]) | ({"name": source} if source in PUBLISHED else {})
    card = ModelCard(network=body, crop_px=crop_px, margin_px=margin_px, tasks=tasks, provenance=provenance)
    ours = set(build_network(card).state_dict())
    matched = {
        their_name: name
        for name in sorted(ours)
        if (their_name := facenet_pytorch_name(name, names=ours)) is not None and their_name in theirs
    }
    weights = {name: theirs[their_name] for their_name, name in matched.items()}
    skipped = sorted(set(theirs) - set(matched))
    return _filled(source, card, weights, {}, matched, skipped, constants=_COUNTERS)


def _task_cards(
    source: str, heads: dict[str, str], weights: dict[str, Tensor], classes: dict[str, list[str]]
) -> dict[str, TaskCard]:
    """A task's card: as many classes as its head's bias has values, one where there is no head."""
    if surplus := sorted(set(classes) - set(heads)):
        raise ModelFileError(f"{source}: it has no task {', '.join(surplus)}; it has {', '.join(heads)}.")
    cards = {}
    for task, bias in heads.items():
        num = len(weights[bias]) if bias in weights else 1
        names = classes.get(task) or [f"{task}_{number:05d}" for number in range(num)]
        if len(names) != num:
            raise ModelFileError(f"{source}: {num} {task} logits and {len(names)} class names. Name every class.")
        head: HeadParams = LinearHeadParams(name="linear", relu_on_logits=False)
        if task == EXPRESSION:
            head = HiddenHeadParams(name="hidden", relu_on_logits=True)  # as the authors have it
        cards[task] = TaskCard(head=head, classes=names)
    return cards


def _filled(
    source: str,
    card: ModelCard,
    weights: dict[str, Tensor],
    method: dict[str, Tensor],
    matched: dict[str, str],
    skipped: list[str],
    *,
    constants: tuple[str, ...],
) -> Imported:
    """A network filled with weights under our names: all of it, but for heads and constants (by their endings).

    Raises:
        ModelFileError: see `import_checkpoint`.
    """
    torch.manual_seed(0)
    network = build_network(card)
    own = network.state_dict()
    missing = [name for name in own if name not in weights and not name.endswith(constants)]
    initial = [name for name in missing if name.startswith("heads.")]
    problems = [f"it has no {name}" for name in missing if name not in initial]
    problems += [f"its {name} has no place" for name in weights if name not in own]
    problems += [
        f"its {name} is {tuple(value.shape)}, the network's {tuple(own[name].shape)}"
        for name, value in weights.items()
        if name in own and own[name].shape != value.shape
    ]
    if problems:
        listed = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise ModelFileError(f"{source}: it does not fit {card.network.trunk}: {listed}.")
    network.load_state_dict(own | weights)
    return Imported(network.eval(), card, method, matched, skipped, initial)


def _provenance(kind: str, files: list[Path]) -> dict[str, object]:
    """What a model was imported from: names and SHA-256 of the files, no folder of a machine."""
    return {"made_by": "import", "format": kind, "files": {file.name: _sha256(file) for file in files}}


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
