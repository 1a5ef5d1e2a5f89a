"""The model that a command uses: its options, and how it is loaded."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dwmtl.errors import ModelFileError

if TYPE_CHECKING:
    from dwmtl.inference.model import FaceModel

DEFAULT_MODEL = Path("data/models/fold_0")

ModelOption = Annotated[
    str | None,
    typer.Option(help=f"a model's folder, or MLflow's runs:/... or models:/...; by default {DEFAULT_MODEL}"),
]
ThresholdOption = Annotated[
    str | None,
    typer.Option(
        help="distance below which two faces are one person: a number in (0, 4], or a file that `dwmtl evaluate` "
        "wrote for this model; by default the threshold of the pipeline's evaluation"
    ),
]
DeviceOption = Annotated[str, typer.Option(help="auto (a GPU if there is one), cpu, cuda or cuda:1")]


def loaded_model(
    source: str | None, device: str, threshold: str | None = None, *, inputs: Iterable[Path] = ()
) -> "FaceModel":
    """The model that a command uses; what the command is to read is looked for before any weights are loaded."""
    from dwmtl.files import require_inputs

    require_inputs(*inputs, *_threshold_files(threshold))
    if source is None and not DEFAULT_MODEL.is_dir():
        raise ModelFileError(
            f"{DEFAULT_MODEL}: no such model here. Name one with --model, or run `make repro` in the repository to "
            "train one."
        )
    from dwmtl.inference.model import load_model

    return load_model(source or DEFAULT_MODEL, device=device, threshold=threshold)


def _threshold_files(threshold: str | None) -> list[Path]:
    """The file that a threshold is in; none where it is a number."""
    try:
        float(threshold or 0)
    except ValueError:
        return [Path(str(threshold))]
    return []
