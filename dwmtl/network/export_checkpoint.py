"""Exports a model's trunk and identity branch in the form of the project that published the network."""

import io
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save

from dwmtl.errors import ModelFileError
from dwmtl.files import require_output, write_bytes
from dwmtl.network.model_card import ModelCard
from dwmtl.network.model_file import files_of, load_model
from dwmtl.network.published import Project, project_of, published_names
from dwmtl.network.timm_trunk import TIMM


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        project: the project whose form the file has.
        names: the project's names of the tensors, without its prefix.
    """

    project: Project
    card: ModelCard
    names: list[str]


def export_checkpoint(model: Path, out: Path) -> Exported:
    """Write a model as a file of its network's project; other tasks' branches and heads are left out.

    Raises:
        ModelFileError: not a model of dwmtl, or no project has this network.
        DwmtlError: `out` is a file of the model. OSError: it cannot be written.
    """
    require_output(out, inputs=files_of(model))
    network, card = load_model(model)
    trunk = card.network.trunk
    project = project_of(trunk)
    if project is None:
        raise ModelFileError(
            f"{model}: its trunk is {trunk}, which was published in TensorFlow's form, and dwmtl does not write that. "
            "Use model.safetensors as it is."
        )
    if trunk == "inception_resnet_v1" and card.network.bottleneck != 512:
        raise ModelFileError(
            f"{model}: facenet-pytorch's network has a bottleneck of 512; this one has {card.network.bottleneck}."
        )
    weights = network.state_dict()
    entries = {theirs: weights[ours].contiguous() for ours, theirs in published_names(network, trunk).items()}
    file = {project.prefix + name: value for name, value in entries.items()}
    if trunk.startswith(TIMM):
        encoded = save(file)
    else:
        buffer = io.BytesIO()
        torch.save(file if project.wrapper is None else {project.wrapper: file}, buffer)
        encoded = buffer.getvalue()
    write_bytes(encoded, out)
    return Exported(project, card, sorted(entries))
