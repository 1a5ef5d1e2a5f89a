"""A model on disk: a folder with `model.safetensors` (weights) and `model.json` (what they are and what they expect).

No pickle anywhere. The same model gives the same bytes.
"""

import hashlib
import json
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from dwmtl.errors import ModelFileError
from dwmtl.network.network import IDENTITY, FaceNetwork

WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "model.json"


class ModelCard(BaseModel):
    """What a file of weights is: enough to build its network and to prepare a photo as in its training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["dwmtl-1"] = "dwmtl-1"
    trunk: str
    crop_px: int
    margin_px: int
    dropout: float
    batch_norm_momentum: float
    linear_sigma: float
    relu_on_expression_logits: bool
    classes: dict[str, list[str]]
    """A task's name -> its class names in the order of the logits; the tasks in their order."""


def build_network(card: ModelCard) -> FaceNetwork:
    """A network with initial weights, from torch's generator."""
    return FaceNetwork(
        trunk=card.trunk,
        num_classes={task: len(names) for task, names in card.classes.items()},
        dropout=card.dropout,
        batch_norm_momentum=card.batch_norm_momentum,
        linear_sigma=card.linear_sigma,
        relu_on_expression_logits=card.relu_on_expression_logits,
    )


def save_model(network: FaceNetwork, card: ModelCard, folder: Path) -> None:
    """Write both files into `folder`, making it."""
    folder.mkdir(parents=True, exist_ok=True)
    # in contiguous form: the bytes must not depend on the memory format that training chose
    weights = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(weights, folder / WEIGHTS_FILE)
    (folder / CARD_FILE).write_text(json.dumps(card.model_dump(), indent=2) + "\n")


def load_card(folder: Path) -> ModelCard:
    """Read `model.json`.

    Raises:
        ModelFileError: it is missing or not in our form.
    """
    path = Path(folder) / CARD_FILE
    try:
        return ModelCard.model_validate_json(path.read_text())
    except FileNotFoundError:
        raise ModelFileError(
            f"{path}: no such file. A model is a folder with {CARD_FILE} and {WEIGHTS_FILE}."
        ) from None
    except (ValidationError, UnicodeDecodeError) as error:
        raise ModelFileError(f"{path}: not a model of this version of dwmtl: {error}") from None


def load_model(folder: Path) -> tuple[FaceNetwork, ModelCard]:
    """Read a model, in inference mode on the CPU.

    Raises:
        ModelFileError: a file is missing or damaged, or the weights do not fit the network that the card describes.
    """
    card = load_card(folder)
    network = build_network(card)
    try:
        network.load_state_dict(_load_weights(folder))
    except RuntimeError as error:
        raise ModelFileError(f"{folder}: the weights do not fit the network of {CARD_FILE}: {error}") from None
    return network.eval(), card


def model_sha256(folder: Path) -> str:
    """SHA-256 of the weights' file, hexadecimal: the name by which a run of ours is found again."""
    with (Path(folder) / WEIGHTS_FILE).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def start_from(network: FaceNetwork, folder: Path) -> dict[str, str]:
    """Fill a network's trunk and branches from a model; the heads, which belong to its classes, stay initial.

    A branch that the model does not have is filled from its identity branch, as the authors fill the expression branch
    from a plain face-recognition network.

    Returns:
        A part of the network -> the part of the model it was filled from.
    Raises:
        ModelFileError: the files are missing or damaged, or a part does not fit.
    """
    weights = _load_weights(folder)
    sources = {"trunk": "trunk"}
    for task in network.tasks:
        own = f"branches.{task}"
        has_own = any(name.startswith(own + ".") for name in weights)
        sources[own] = own if has_own else f"branches.{IDENTITY}"
    for part, source in sources.items():
        values = {name.removeprefix(source + "."): v for name, v in weights.items() if name.startswith(source + ".")}
        try:
            network.get_submodule(part).load_state_dict(values)
        except RuntimeError as error:
            raise ModelFileError(f"{folder}: its {source} does not fit the network's {part}: {error}") from None
    return sources


def _load_weights(folder: Path) -> dict[str, torch.Tensor]:
    path = Path(folder) / WEIGHTS_FILE
    try:
        return load_file(path)
    except FileNotFoundError:
        raise ModelFileError(
            f"{path}: no such file. A model is a folder with {CARD_FILE} and {WEIGHTS_FILE}."
        ) from None
    except SafetensorError as error:
        raise ModelFileError(f"{path}: not a whole safetensors file ({error}). Train or copy it again.") from None
