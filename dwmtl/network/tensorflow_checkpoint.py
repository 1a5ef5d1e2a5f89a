"""Reads a TensorFlow V2 checkpoint of the authors' FaceLiveNet, or of facenet. The sole owner of tensorflow, an
optional extra."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dwmtl.errors import ModelFileError
from dwmtl.network.tensorflow_names import torch_name, torch_value


@dataclass(frozen=True)
class TensorflowCheckpoint:
    """The authors' variables under our names.

    Attributes:
        network: under the names of `FaceNetwork.state_dict()`, without batch norm's constant scale.
        unit: the dynamic-weight unit's, empty if the checkpoint has none.
        centers: (identities, 1792), the class centres; None if the checkpoint has none.
        sources: a name in `network`, `unit` or `centers` -> the variable.
        skipped: variables without a counterpart here (optimiser slots, moving averages, the step).
    """

    network: dict[str, Tensor]
    unit: dict[str, Tensor]
    centers: Tensor | None
    sources: dict[str, str]
    skipped: list[str]


def read_variables(prefix: Path) -> dict[str, np.ndarray]:
    """Read every variable of a checkpoint, by name.

    Args:
        prefix: the files' common path, without `.index`.
    Raises:
        ModelFileError: the files are missing or damaged, or tensorflow is not installed.
    """
    try:
        import tensorflow
    except ImportError:
        raise ModelFileError(f"{prefix}: reading it needs tensorflow: pip install 'dwmtl[tensorflow]'.") from None
    try:
        reader = tensorflow.train.load_checkpoint(str(prefix))
        return {name: reader.get_tensor(name) for name in sorted(reader.get_variable_to_shape_map())}
    except (ValueError, tensorflow.errors.OpError) as error:
        raise ModelFileError(f"{prefix}: not a TensorFlow V2 checkpoint ({error}). Name it without `.index`.") from None


def convert(variables: dict[str, np.ndarray], *, feature_shape: tuple[int, int, int]) -> TensorflowCheckpoint:
    """Convert the authors' variables to our names and order of axes.

    Args:
        variables: from `read_variables`.
        feature_shape: (channels, height, width) of the shared features: (1792, 3, 3) at 160 px.
    """
    names = set(variables)
    network: dict[str, Tensor] = {}
    unit: dict[str, Tensor] = {}
    sources: dict[str, str] = {}
    skipped: list[str] = []
    for variable, value in variables.items():
        name = torch_name(variable, variables=names)
        if name is None:
            if variable == "centers":
                sources["centers"] = variable
            else:
                skipped.append(variable)
            continue
        sources[name] = variable
        part = unit if name.startswith("unit.") else network
        part[name] = torch_value(variable, value, feature_shape=feature_shape)
    centers = torch.from_numpy(variables["centers"]) if "centers" in variables else None
    return TensorflowCheckpoint(network, unit, centers, sources, skipped)
