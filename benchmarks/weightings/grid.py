"""The grid of the comparison, read from `grid.yaml`: which params a cell of it is run with."""

from pathlib import Path

from ruamel.yaml import YAML

HERE = Path(__file__).resolve().parent


def read_grid() -> dict:
    """`grid.yaml` as it stands."""
    return YAML(typ="safe", pure=True).load((HERE / "grid.yaml").read_text())


def changed(values: dict, changes: dict[str, object], *, below: tuple[str, ...] = ()) -> dict:
    """Nested values with some replaced, in place.

    Args:
        changes: dotted key -> value.
        below: sections that the keys stand in.
    """
    for dotted, value in changes.items():
        *sections, key = (*below, *dotted.split("."))
        section = values
        for name in sections:
            section = section[name]
        if key not in section:
            raise KeyError(f"grid.yaml: params.yaml has no {'.'.join((*below, dotted))}")
        section[key] = value
    return values


def params_of(data_set: str, values: dict) -> dict:
    """The repository's params with a data set's changes."""
    grid = read_grid()
    return changed(values, {**grid["common"], **grid["data_sets"][data_set], "folds": grid["folds"]})


def with_weighting(values: dict, weighting: str, seed: int) -> dict:
    """Those, with a weighting of the grid and a seed of the training."""
    changes = {"name": weighting} | read_grid()["weightings"][weighting]
    return changed(changed(values, changes, below=("train", "weighting")), {"train.seed": seed})
