"""Reads files of tensors of other projects, by torch.save or safetensors, without running code from the file."""

import struct
import warnings
import zlib
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from dwmtl.errors import ModelFileError

ENDINGS = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")
_WRAPPERS = ("net_state_dict", "state_dict")
_SETTINGS = ("pytorch_lightning.", "lightning.", "lightning_fabric.", "omegaconf.", "numpy.", "argparse.", "pathlib.")
"""Packages whose objects are beside the weights in checkpoints of trainings: settings, callbacks, paths."""

_DAMAGED = (
    UnpicklingError,
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    AssertionError,
    ArithmeticError,
    MemoryError,
    struct.error,
)
"""What torch raises on a file that is not a whole checkpoint, or not one of tensors."""


class _Nothing:
    """Stands in for an object of another package; discards its state."""

    def __init__(self, *_args, **_more):
        pass

    def __setstate__(self, _state):
        pass


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file by name; other content of a training's checkpoint is ignored.

    Only tensors and plain values are loaded (torch's `weights_only`). Objects of packages that checkpoints use for
    settings are discarded; a file that names any other class or function is refused.

    Raises:
        ModelFileError: the file is missing or damaged, or holds something else.
    """
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file.")
    values = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickled(path)
    if isinstance(values, dict):
        values = next((values[key] for key in _WRAPPERS if isinstance(values.get(key), dict)), values)
    if not isinstance(values, dict) or not values:
        raise ModelFileError(f"{path}: not a state dict: tensors by name are expected.")
    for name, value in values.items():
        if not isinstance(name, str) or not isinstance(value, Tensor) or value.layout != torch.strided:
            kind = type(value).__name__
            raise ModelFileError(f"{path}: not a state dict: {name} is of the type {kind}, no tensor with a name.")
    return values


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, MemoryError) as error:
        raise ModelFileError(f"{path}: not a whole safetensors file ({error}). Copy it again.") from None


def _read_pickled(path: Path) -> object:
    _require_whole(path)
    try:
        # torch warns of pickles, which are loaded safely or refused
        with warnings.catch_warnings(action="ignore"), torch.serialization.safe_globals(_stand_ins(path)):
            return torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelFileError(f"{path}: not a file of tensors by torch.save ({reason}).") from None


def _require_whole(path: Path) -> None:
    """Compare the checksums that a file has, since torch 1.6, with its bytes: torch itself does not.

    Nothing in it is compressed, so that it cannot unpack to more than its size.
    """
    try:
        with ZipFile(path) as archive:
            if any(entry.compress_type != ZIP_STORED for entry in archive.infolist()):
                raise ModelFileError(f"{path}: not a file of tensors by torch.save, which compresses nothing.")
            damaged = archive.testzip()
    except (BadZipFile, OSError, ValueError, NotImplementedError, EOFError, zlib.error):
        return  # an older file, or one that torch refuses
    if damaged is not None:
        raise ModelFileError(f"{path}: damaged: the checksum of {damaged} differs. Copy or download it again.")


def _stand_ins(path: Path) -> list[Callable | tuple[Callable, str]]:
    """A stand-in for each class of `_SETTINGS` that a file names; none for files from before torch 1.6."""
    with suppress(ValueError):
        unknown = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        settings = [name for name in unknown if name.startswith(_SETTINGS)]
        # Lightning's AttributeDict is unpickled item by item, as a dict
        return [(OrderedDict if name.endswith(".AttributeDict") else _Nothing, name) for name in settings]
    return []
