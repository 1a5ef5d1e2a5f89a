"""Fills a network's trunk and branches from a model's weights. Knows nothing of training."""

import logging
from pathlib import Path

from dwmtl.errors import ModelFileError
from dwmtl.network.model_card import ModelCard
from dwmtl.network.model_file import checked_weights, load_card
from dwmtl.network.network import IDENTITY, FaceNetwork

log = logging.getLogger(__name__)


def start_from(network: FaceNetwork, card: ModelCard, folder: Path) -> dict[str, str]:
    """Fill a network's trunk and branches from a model; the heads, which depend on the classes, stay initial.

    A branch that the model does not have is filled from its identity branch, as the authors fill the expression branch
    from a face-recognition network.

    Args:
        card: card of the network to fill.
    Returns:
        A part of the network -> the part of the model it was filled from.
    Raises:
        ModelFileError: the files are missing or damaged, the model has another trunk, bottleneck, standardisation
            or channel order, or a part does not fit. Nothing is filled in part.
    """
    source = load_card(folder)
    _refuse_another_kind(card, source, folder)
    weights = checked_weights(folder, source)
    sources = {"trunk": "trunk"}
    for task in network.tasks:
        sources[f"branches.{task}"] = f"branches.{task if task in source.tasks else IDENTITY}"
    filled = network.state_dict()
    for part, origin in sources.items():
        for name in [name for name in filled if name.startswith(part + ".")]:
            value = weights.get(origin + name.removeprefix(part))
            if value is None or value.shape != filled[name].shape:
                problem = "has none" if value is None else f"has {tuple(value.shape)}"
                raise ModelFileError(
                    f"{folder}: it {problem} for the network's {name} {tuple(filled[name].shape)}. Start from a model "
                    "of the same `network` in params.yaml."
                )
            filled[name] = value
    network.load_state_dict(filled)
    return sources


def _refuse_another_kind(card: ModelCard, source: ModelCard, folder: Path) -> None:
    for key in ("trunk", "bottleneck", "standardization", "channel_order"):
        ours, theirs = getattr(card.network, key), getattr(source.network, key)
        if ours != theirs:
            raise ModelFileError(
                f"{folder}: its network.{key} is {theirs}, and params.yaml has {ours}. Set network.{key} to {theirs}, "
                "or start from another model."
            )
    aligned = {
        "crop_px": (card.crop_px, source.crop_px),
        "margin_px": (card.margin_px, source.margin_px),
        "crop_form": (card.detector.crop_form, source.detector.crop_form),
    }
    if aligned["crop_form"] == ("similarity", "similarity"):
        del aligned["margin_px"]  # of no meaning there
    for key, (ours, theirs) in aligned.items():
        if ours != theirs:
            log.warning("%s was trained on crops with %s %s; yours have %s.", folder, key, theirs, ours)
