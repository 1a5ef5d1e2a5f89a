"""A model on disk: a folder with `model.safetensors` (weights) and `model.json` (what they are and what they expect).

Optional files: `model_ema.safetensors`, the moving average of the weights; `model_best.safetensors`, the weights after
the epoch that was best on the validation subjects; `method.safetensors`, the method's state of an imported checkpoint.
No file is a pickle. The same model gives the same bytes.
"""

import codecs
import hashlib
import json
import os
from pathlib import Path
from typing import Literal

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from dwmtl.errors import ModelFileError, ParamsError, line_of
from dwmtl.files import write_bytes, write_text
from dwmtl.network.model_card import ModelCard, build_network
from dwmtl.network.network import FaceNetwork

WEIGHTS_FILE = "model.safetensors"
EMA_FILE = "model_ema.safetensors"
BEST_FILE = "model_best.safetensors"
METHOD_FILE = "method.safetensors"
CARD_FILE = "model.json"
THRESHOLD_FILE = "threshold.json"
"""In the model's folder where a model is passed on; the pipeline keeps it with the fold's scores."""

FILES = {"raw": WEIGHTS_FILE, "ema": EMA_FILE, "best": BEST_FILE}
"""Kind of weights -> file."""
_ALL_FILES = (CARD_FILE, *FILES.values(), METHOD_FILE)


def save_model(
    network: FaceNetwork,
    card: ModelCard,
    folder: Path,
    *,
    averaged: FaceNetwork | None = None,
    best: FaceNetwork | None = None,
    method: dict[str, torch.Tensor] | None = None,
) -> ModelCard:
    """Write a model into `folder`, which is created.

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
    """The folder of a model that is given by its folder or by a file in it."""
    path = Path(path)
    return path.parent if path.name in _ALL_FILES and not os.path.isdir(path) else path


def files_of(path: Path | str) -> list[Path]:
    """All files that a model may have."""
    return [model_folder(path) / name for name in _ALL_FILES]


def load_card(folder: Path) -> ModelCard:
    """Read `model.json`.

    Raises:
        ModelFileError: the file is missing or not a model card of this version.
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
        weights: the weights after the last epoch, their moving average, or those after the epoch that was best on the
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


def sha256_of(card: ModelCard, weights: Literal["raw", "ema", "best"]) -> str:
    """SHA-256 of a file of weights of the saved model, hexadecimal."""
    if weights != "raw":
        return card.further_sha256[FILES[weights]]
    assert card.weights_sha256 is not None  # saving wrote it
    return card.weights_sha256


def has_best(card: ModelCard) -> bool:
    """Whether a model has the weights of an epoch that was best on validation subjects."""
    return BEST_FILE in card.further_sha256


def model_sha256(folder: Path) -> str:
    """SHA-256 of the weights' file, hexadecimal, by which a model's run in MLflow is found.

    Raises:
        ModelFileError: no such file.
    """
    path = Path(folder) / WEIGHTS_FILE
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file. Run its stage, or fetch it by `dvc checkout`.")
    return file_sha256(path)


def load_weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    """Read a file of tensors of a model.

    Raises:
        ModelFileError: it is missing, damaged, or there are no rights to read it.
    """
    path = _readable(model_folder(folder) / name, "no such file; this model was saved without it.")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ModelFileError(f"{path}: not a whole safetensors file ({error}). Train or copy it again.") from None


def checked_weights(folder: Path, card: ModelCard, name: str = WEIGHTS_FILE) -> dict[str, torch.Tensor]:
    """Read a file of tensors of a model, checked against the SHA-256 in its card.

    Raises:
        ModelFileError: the file is missing or damaged, or has another SHA-256.
    """
    weights = load_weights(folder, name)
    if file_sha256(model_folder(folder) / name) != {**card.further_sha256, WEIGHTS_FILE: card.weights_sha256}.get(name):
        raise ModelFileError(f"{folder}: {name} does not have the SHA-256 in {CARD_FILE}. Copy the whole folder again.")
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
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _save_weights(weights: dict[str, torch.Tensor], path: Path) -> None:
    # contiguous, so that the bytes do not depend on the memory format of the training
    write_bytes(save({name: value.detach().cpu().contiguous() for name, value in weights.items()}), path)
