"""Weights of facenet-pytorch's `InceptionResnetV1`, read from a file or by their published names, and written."""

import warnings
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from dwmtl.errors import ModelFileError
from dwmtl.network.facenet_pytorch_names import facenet_pytorch_name

PUBLISHED = ("vggface2", "casia-webface")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.pt` file, by name. Nothing but tensors is unpickled (`weights_only`).

    Raises:
        ModelFileError: the file is missing, damaged, or holds something else.
    """
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # of foreign pickles: they are refused
            values = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file.") from None
    except (UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFileError(f"{path}: not a file of tensors by torch.save ({reason}).") from None
    if isinstance(values, dict) and isinstance(values.get("state_dict"), dict):
        values = values["state_dict"]
    if not isinstance(values, dict) or not all(isinstance(value, Tensor) for value in values.values()):
        raise ModelFileError(f"{path}: not a state dict: tensors by name are expected.")
    return values


def published_file(name: str) -> Path:
    """The file of weights of a published name: downloaded by facenet-pytorch into torch's cache, unless it is there.

    Raises:
        ModelFileError: it could not be downloaded.
    """
    from facenet_pytorch.models import inception_resnet_v1  # a heavy import, and not needed for files

    folder = Path(inception_resnet_v1.get_torch_home()) / "checkpoints"
    if not any(folder.glob(f"*-{name}.pt")):
        try:
            inception_resnet_v1.InceptionResnetV1(pretrained=name)
        except OSError as error:
            raise ModelFileError(
                f"{name}: facenet-pytorch could not download it ({error}). Download its .pt file elsewhere and name "
                "the file."
            ) from None
    return sorted(folder.glob(f"*-{name}.pt"))[-1]


def export_state_dict(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of an `inception_resnet_v1` of ours under facenet-pytorch's names; other tasks' parts are left out."""
    names = set(weights)
    return {
        their_name: value
        for name, value in weights.items()
        if (their_name := facenet_pytorch_name(name, names=names)) is not None
    }
