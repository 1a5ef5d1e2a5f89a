"""The grid of the comparison, `grid.yaml` of its DVC project: the params of each of its trainings."""

import os
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

from dwmtl.params import Params
from dwmtl.weighting.params import weighting_params

REPOSITORY = Path(__file__).resolve().parents[2]


def read_yaml(path: Path) -> dict:
    """Read a file in the YAML version that DVC uses."""
    return YAML(typ="safe", pure=True).load(path.read_text())


def from_repository(path: str) -> Path:
    """A path of the grid, which is relative to the repository."""
    return Path(os.path.normpath(REPOSITORY / path))


def params_of(grid: Mapping, data_set: str) -> dict:
    """A data set's params; folders outside the repository are absolute."""
    chosen = grid["data_sets"][data_set]
    values = read_yaml(from_repository(chosen["params"]))
    for dotted, value in {**chosen["changes"], "folds": grid["folds"]}.items():
        *sections, key = dotted.split(".")
        section = values
        for name in sections:
            section = section.setdefault(name, {})
        section[key] = value
    for source in values["sets"].values():
        if source["folder"].startswith(".."):
            source["folder"] = str(from_repository(source["folder"]))
    return values


def training_params(params: Params, settings: Mapping[str, object], *, seed: int, learning_rate: float) -> Params:
    """Params of a training of the grid.

    Args:
        settings: `name` and what differs from the defaults of the weighting.
    """
    optimizer = params.train.optimizer.model_copy(update={"learning_rate": learning_rate})
    changes = {"weighting": weighting_params(**settings), "seed": seed, "optimizer": optimizer}
    return params.model_copy(update={"train": params.train.model_copy(update=changes)})


def settings_of(grid: Mapping, weighting: str) -> dict[str, object]:
    """The settings of a row, with the name of its rule."""
    return {"name": weighting, **grid["weightings"][weighting]}
