"""A model with another project's weights. Knows no project's files."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from dwmtl.errors import ModelFileError, ParamsError
from dwmtl.network.model_card import DetectorCard, ModelCard, TaskCard, build_network
from dwmtl.network.model_file import file_sha256
from dwmtl.network.network import EXPRESSION, FaceNetwork
from dwmtl.network.params import HeadParams, HiddenHeadParams, LinearHeadParams, NetworkParams
from dwmtl.network.published import ExpectedInput

COUNTERS = ("num_batches_tracked",)
"""Endings of the names of buffers that a file may lack."""


@dataclass(frozen=True)
class Imported:
    """A model with another project's weights, and how they were matched.

    Attributes:
        method: state of the method beside the network (`unit.weight`, `unit.bias`, `centers`), if the source has it.
        matched: a name of the source -> the name in our network (or in `method`).
        skipped: names of the source without a counterpart in our network.
        initial: names of our network without a counterpart in the source, whose values are initial: heads.
    """

    network: FaceNetwork
    card: ModelCard
    method: dict[str, Tensor] = field(default_factory=dict)
    matched: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    initial: list[str] = field(default_factory=list)


def new_card(
    expects: ExpectedInput,
    *,
    trunk: str,
    bottleneck: int | None,
    dropout: float,
    batch_norm_momentum: float,
    tasks: dict[str, TaskCard],
    provenance: dict[str, object],
) -> ModelCard:
    """The card of an imported model; `expects` must be complete."""
    network = {
        "trunk": trunk,
        "bottleneck": bottleneck,
        "standardization": expects.standardization,
        "channel_order": expects.channel_order,
        "dropout": dropout,
        "batch_norm_momentum": batch_norm_momentum,
        "linear_sigma": 0.1,
    }
    return ModelCard(
        network=NetworkParams.model_validate(network),
        crop_px=expects.crop_px,
        margin_px=expects.margin_px,
        detector=DetectorCard(crop_form=expects.crop_form),
        tasks=tasks,
        provenance=provenance,
    )


def task_cards(
    source: str, heads: dict[str, str], weights: dict[str, Tensor], classes: dict[str, list[str]]
) -> dict[str, TaskCard]:
    """Each task's card, with as many classes as its head's bias has values; one class where there is no head."""
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


def filled(
    source: str,
    card: ModelCard,
    weights: dict[str, Tensor],
    method: dict[str, Tensor],
    matched: dict[str, str],
    skipped: list[str],
    *,
    constants: tuple[str, ...],
    fresh: tuple[str, ...] = ("heads.",),
) -> Imported:
    """Fill a network with weights under our names.

    Args:
        constants: endings of the names that may be missing, as their values are constant.
        fresh: beginnings of the names that may be missing and keep their initial values.
    Raises:
        ModelFileError: a weight is missing, surplus, has another shape or is not finite; or the network cannot process
            crops of the card's size.
    """
    torch.manual_seed(0)
    network = build_network(card)
    initial_weights = network.state_dict()
    missing = [name for name in initial_weights if name not in weights and not name.endswith(constants)]
    initial = [name for name in missing if name.startswith(fresh)]
    problems = [f"it has no {name}" for name in missing if name not in initial]
    for name, value in weights.items():
        problems += _problems(name, value, initial_weights.get(name))
    if problems:
        listed = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise ModelFileError(f"{source}: it does not fit {card.network.trunk}: {listed}.")
    network.load_state_dict(initial_weights | weights)
    _require_crops_taken(source, network, card)
    return Imported(network.eval(), card, method, matched, skipped, initial)


def _problems(name: str, value: Tensor, expected: Tensor | None) -> list[str]:
    """Why a weight does not fit the network's weight of the same name; empty if it does."""
    if expected is None:
        return [f"its {name} has no place"]
    if expected.shape != value.shape:
        return [f"its {name} is {tuple(value.shape)}, the network's {tuple(expected.shape)}"]
    if expected.is_floating_point() != value.is_floating_point() or value.is_complex():
        return [f"its {name} is of the type {value.dtype}"]
    if value.is_floating_point() and not value.isfinite().all():
        return [f"its {name} holds NaN or infinity"]
    return []


def _require_crops_taken(source: str, network: FaceNetwork, card: ModelCard) -> None:
    try:
        network.num_shared_features(card.crop_px)
    except ParamsError:
        raise ModelFileError(
            f"{source}: {card.network.trunk} cannot take crops of {card.crop_px} px. Leave --crop-px out."
        ) from None


def provenance_of(kind: str, files: list[Path]) -> dict[str, object]:
    """What a model was imported from: names and SHA-256 of the files, without their folders."""
    return {"made_by": "import", "format": kind, "files": {file.name: file_sha256(file) for file in files}}
