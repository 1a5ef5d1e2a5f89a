"""A model on disk: a folder with `model.safetensors` (weights) and `model.json` (what they are and what they expect).

A training that kept a moving average of the weights adds `model_ema.safetensors`; one that had validation subjects,
`model_best.safetensors`, the weights after the epoch that was best on them; an imported checkpoint that held the
method's state, `method.safetensors`. No pickle anywhere. The same model gives the same bytes.
"""

import codecs
import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from dwmtl.errors import ModelFileError, ParamsError, line_of
from dwmtl.files import write_bytes, write_text
from dwmtl.network.network import IDENTITY, FaceNetwork
from dwmtl.network.params import HeadParams, NetworkParams
from dwmtl.section import CropPx, Fraction

log = logging.getLogger(__name__)

WEIGHTS_FILE = "model.safetensors"
EMA_FILE = "model_ema.safetensors"
BEST_FILE = "model_best.safetensors"
METHOD_FILE = "method.safetensors"
CARD_FILE = "model.json"
THRESHOLD_FILE = "threshold.json"
"""Beside the others where a model is passed on; the pipeline keeps it with the fold's scores."""

FILES = {"raw": WEIGHTS_FILE, "ema": EMA_FILE, "best": BEST_FILE}
"""By the name of the weights in them."""
_ALL_FILES = (CARD_FILE, *FILES.values(), METHOD_FILE)


class TaskCard(BaseModel):
    """A task of a model: its head, and its class names in the order of the logits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    head: HeadParams
    classes: list[str]


class DetectorCard(BaseModel):
    """How the faces of a model's crops were found, chosen and cut out: what `AlignParams` says of it.

    The defaults are facenet's; a card that does not say (an imported checkpoint's) has them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_face_px: int = Field(20, ge=12)
    thresholds: list[Fraction] = Field([0.6, 0.7, 0.7], min_length=3, max_length=3)
    pyramid_factor: float = Field(0.709, gt=0, lt=1)
    select: Literal["center_weighted_size", "largest", "most_confident"] = "center_weighted_size"
    crop_form: Literal["margin_in_crop", "margin_in_photo", "similarity"] = "margin_in_crop"


class ModelCard(BaseModel):
    """What a file of weights is: enough to build its network and to prepare a photo as in its training.

    Attributes:
        crop_px, margin_px: how its crops were aligned; a side, or height and width.
        detector: how their faces were found and cut out.
        tasks: by name, in their order.
        provenance: what made it (`made_by`) and from what; no time and no path of a machine.
        weights_sha256: of the file of weights, hexadecimal; None before it is saved.
        further_sha256: of the moving average's, the best epoch's and the method's files, by name, where there are any.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["dwmtl-2"] = "dwmtl-2"
    network: NetworkParams
    crop_px: CropPx
    margin_px: int
    detector: DetectorCard = DetectorCard()
    tasks: dict[str, TaskCard]
    provenance: dict[str, Any]
    weights_sha256: str | None = None
    further_sha256: dict[str, str] = {}

    def classes(self, task: str) -> list[str]:
        """Class names of a task; none where the model does not have it."""
        return self.tasks[task].classes if task in self.tasks else []

    def sha256_of(self, weights: Literal["raw", "ema", "best"]) -> str:
        """Of a file of weights that the saved model has, hexadecimal."""
        if weights != "raw":
            return self.further_sha256[FILES[weights]]
        assert self.weights_sha256 is not None  # saving wrote it
        return self.weights_sha256

    def people_seen(self) -> list[str]:
        """Who must not be tested on, sorted: the subjects trained on, by what it started from too, or validated on."""
        seen = (self.provenance.get(key, []) for key in ("trained_on", "validated_on"))
        return sorted({*self.classes(IDENTITY), *(name for names in seen for name in names)})


def build_network(card: ModelCard) -> FaceNetwork:
    """A network with initial weights, from torch's generator."""
    return FaceNetwork(
        card.network,
        {name: task.head for name, task in card.tasks.items()},
        {name: len(task.classes) for name, task in card.tasks.items()},
    )


def save_model(
    network: FaceNetwork,
    card: ModelCard,
    folder: Path,
    *,
    averaged: FaceNetwork | None = None,
    best: FaceNetwork | None = None,
    method: dict[str, torch.Tensor] | None = None,
) -> ModelCard:
    """Write a model into `folder`, making it.

    Args:
        averaged: the network with the moving average of the weights.
        best: the network after the epoch that was best on the validation subjects.
        method: state of the method beside the network: `unit.weight`, `unit.bias`, `centers`.
    Returns:
        The card as written, with the weights' SHA-256.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _save_weights(network.state_dict(), folder / WEIGHTS_FILE)
    for other, name in ((averaged, EMA_FILE), (best, BEST_FILE)):
        if other is not None:
            _save_weights(other.state_dict(), folder / name)
    if method:
        _save_weights(method, folder / METHOD_FILE)
    further = {
        name: file_sha256(folder / name) for name in (EMA_FILE, BEST_FILE, METHOD_FILE) if (folder / name).exists()
    }
    card = card.model_copy(update={"weights_sha256": model_sha256(folder), "further_sha256": further})
    write_text(json.dumps(card.model_dump(), indent=2) + "\n", folder / CARD_FILE)
    return card


def model_folder(path: Path | str) -> Path:
    """A model's folder, which one of its files stands for, too."""
    path = Path(path)
    return path.parent if path.name in _ALL_FILES and not os.path.isdir(path) else path


def files_of(path: Path | str) -> list[Path]:
    """The files that a model may have."""
    return [model_folder(path) / name for name in _ALL_FILES]


def load_card(folder: Path) -> ModelCard:
    """Read `model.json`.

    Raises:
        ModelFileError: it is missing or not in our form.
    """
    path = model_folder(folder) / CARD_FILE
    no_card = (
        f"no such file. A model is a folder with {CARD_FILE} and {WEIGHTS_FILE}; `dwmtl import-checkpoint` makes one "
        "of another project's weights."
    )
    try:
        return ModelCard.model_validate_json(_readable(path, no_card).read_bytes().removeprefix(codecs.BOM_UTF8))
    except ValidationError as error:
        raise ModelFileError(f"{path}: not a model of this version of dwmtl: {error}") from None


def load_model(folder: Path, *, weights: Literal["raw", "ema", "best"] = "raw") -> tuple[FaceNetwork, ModelCard]:
    """Read a model, in inference mode on the CPU.

    Args:
        weights: those at the training's end, their moving average, or those after the epoch that was best on the
            validation subjects.
    Raises:
        ModelFileError: a file is missing or damaged, or the weights do not fit the network that the card describes.
        ParamsError: there are no weights of that name.
    """
    if weights not in FILES:
        raise ParamsError(f"weights must be {', '.join(FILES)}. Got {weights!r} instead.")
    card = load_card(folder)
    network = build_network(card)
    try:
        network.load_state_dict(checked_weights(folder, card, FILES[weights]))
    except RuntimeError as error:
        raise ModelFileError(f"{folder}: the weights do not fit the network of {CARD_FILE}: {error}") from None
    return network.eval(), card


def has_best(card: ModelCard) -> bool:
    """Whether a model has the weights of an epoch that was best on validation subjects."""
    return BEST_FILE in card.further_sha256


def model_sha256(folder: Path) -> str:
    """SHA-256 of the weights' file, hexadecimal: the name by which a run of ours is found again.

    Raises:
        ModelFileError: no such file.
    """
    path = Path(folder) / WEIGHTS_FILE
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file. Run its stage, or fetch it by `dvc checkout`.")
    return file_sha256(path)


def start_from(network: FaceNetwork, card: ModelCard, folder: Path) -> dict[str, str]:
    """Fill a network's trunk and branches from a model; the heads, which belong to its classes, stay initial.

    A branch that the model does not have is filled from its identity branch, as the authors fill the expression branch
    from a plain face-recognition network.

    Args:
        card: of the network to fill.
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
                there = "has none" if value is None else f"has {tuple(value.shape)}"
                raise ModelFileError(
                    f"{folder}: it {there} for the network's {name} {tuple(filled[name].shape)}. Start from a model of "
                    "the same `network` in params.yaml."
                )
            filled[name] = value
    network.load_state_dict(filled)
    return sources


def load_weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    """A file of tensors of a model.

    Raises:
        ModelFileError: it is missing, damaged, or there are no rights to read it.
    """
    path = _readable(model_folder(folder) / name, "no such file; this model was saved without it.")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ModelFileError(f"{path}: not a whole safetensors file ({error}). Train or copy it again.") from None


def checked_weights(folder: Path, card: ModelCard, name: str = WEIGHTS_FILE) -> dict[str, torch.Tensor]:
    """A file of tensors of a model, if it is the one that its card speaks of.

    Raises:
        ModelFileError: they are missing, damaged, or others.
    """
    weights = load_weights(folder, name)
    if file_sha256(model_folder(folder) / name) != {**card.further_sha256, WEIGHTS_FILE: card.weights_sha256}.get(name):
        raise ModelFileError(
            f"{folder}: {name} is not the file that {CARD_FILE} speaks of (its SHA-256 differs). Copy the "
            "folder again, whole."
        )
    return weights


def _readable(path: Path, missing: str) -> Path:
    """The path of a file that can be read.

    Raises:
        ModelFileError: it is missing, or the system refuses it.
    """
    try:
        with open(path, "rb"):
            return path
    except (FileNotFoundError, NotADirectoryError):
        raise ModelFileError(f"{path}: {missing}") from None
    except OSError as error:
        raise ModelFileError(line_of(error)) from None
    except ValueError as error:  # a NUL in its name
        raise ModelFileError(f"{str(path)!r}: no name of a folder ({error}).") from None


def file_sha256(path: Path) -> str:
    """Of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _save_weights(weights: dict[str, torch.Tensor], path: Path) -> None:
    # in contiguous form: the bytes must not depend on the memory format that training chose
    write_bytes(save({name: value.detach().cpu().contiguous() for name, value in weights.items()}), path)


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
    for key, (ours, theirs) in aligned.items():
        if ours != theirs:
            log.warning("%s was trained on crops with %s %s; yours have %s.", folder, key, theirs, ours)
