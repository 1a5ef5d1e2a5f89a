"""The grid of the comparison, `grid.yaml` of its DVC project: the params that each row is trained with."""

import os
from pathlib import Path

from ruamel.yaml import YAML

from dwmtl.params import Params
from dwmtl.weighting.params import weighting_params

REPOSITORY = Path(__file__).resolve().parents[2]


def read_yaml(path: Path) -> dict:
    """Read a file in the YAML version that DVC uses."""
    return YAML(typ="safe", pure=True).load(path.read_text())


def params_of(grid: dict, data_set: str) -> dict:
    """The repository's params.yaml with a data set's changes; folders outside the repository are absolute."""
    values = read_yaml(REPOSITORY / "params.yaml")
    changes = {**grid["common"], **grid["data_sets"][data_set], "folds": grid["folds"]}
    for dotted, value in changes.items():
        *sections, key = dotted.split(".")
        section = values
        for name in sections:
            section = section.setdefault(name, {})
        section[key] = value
    for source in values["sets"].values():
        if source["folder"].startswith(".."):
            source["folder"] = os.path.normpath(REPOSITORY / source["folder"])
    return values


def with_weighting(params: Params, settings: dict[str, object], *, seed: int) -> Params:
    """Params with a weighting and a seed of the training."""
    train = params.train.model_copy(update={"weighting": weighting_params(**settings), "seed": seed})
    return params.model_copy(update={"train": train})
