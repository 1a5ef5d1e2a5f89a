"""What a training's starting model needs of `params.yaml`, by its `model.json`. Builds no network."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dwmtl.errors import ParamsError
from dwmtl.network.params import NetworkParams
from dwmtl.section import crop_size

MODELS = Path("data/models")
"""Where `train.start` names a folder, relative to `params.yaml`."""

_NETWORK = ("trunk", "bottleneck", "standardization", "channel_order")


def start_needs(card: Mapping[str, Any]) -> dict[str, object]:
    """Keys of `params.yaml`, dotted, and the values that a start needs: its network, and crops as it knows them.

    Args:
        card: the content of its `model.json`.
    """
    network = NetworkParams.model_validate(card["network"]).model_dump()
    needs = {f"network.{key}": network[key] for key in _NETWORK}
    needs |= {
        "align.crop_px": card["crop_px"],
        "align.crop_form": card.get("detector", {}).get("crop_form", "margin_in_crop"),
        "align.margin_px": card["margin_px"],
    }
    if needs["align.crop_form"] == "similarity":
        del needs["align.margin_px"]  # of no meaning there
    return needs


def other_needs(needs: Mapping[str, object], params: Mapping[str, Any]) -> dict[str, tuple[object, object]]:
    """The keys whose values differ: what is needed, and what the params have.

    Args:
        params: all values of `params.yaml`, by section.
    """
    differing = {}
    for key, needed in needs.items():
        section, name = key.split(".")
        if _comparable(name, needed) != _comparable(name, params[section][name]):
            differing[key] = (needed, params[section][name])
    return differing


def require_start_fits(start: str, params: Mapping[str, Any], folder: Path) -> None:
    """Refuse params under which an imported start could not be trained on, where it is there to ask.

    Args:
        start: `train.start`, imported.
        folder: of `params.yaml`.
    Raises:
        ParamsError: each value that the start needs otherwise.
    """
    path = folder / MODELS / start / "model.json"
    if not path.is_file():
        return
    try:
        needs = start_needs(json.loads(path.read_text()))
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError):
        raise ParamsError(f"{path}: not a model of this version of dwmtl. Import it again.") from None
    if differing := other_needs(needs, params):
        listed = ", ".join(f"{key} {_shown(needed)} (not {_shown(ours)})" for key, (needed, ours) in differing.items())
        raise ParamsError(
            f"train.start is {start}, which needs {listed}. Run `dwmtl start-from {MODELS / start} --name {start}`, "
            "which writes them, or choose another train.start."
        )


def _comparable(name: str, value: object) -> object:
    return crop_size(value) if name == "crop_px" else value  # type: ignore[arg-type]


def _shown(value: object) -> str:
    return "null" if value is None else str(value)
