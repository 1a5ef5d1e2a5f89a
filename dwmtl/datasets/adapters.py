"""The adapters by the names that `params.yaml` uses. A new one is one file, and one line here.

An adapter is a module of this package with `TERMS`, a sentence on the set and its terms of use, and
`read(folder, *, num_peak_frames)`, which returns a `DataSet`; `SetParams.adapter_options` holds further arguments.
"""

from pathlib import Path
from types import ModuleType

import pandas as pd

from dwmtl.datasets import (
    affect_net,
    authors_labels,
    bin_pack,
    ck_plus,
    ck_plus_48,
    csv_table,
    fer2013,
    folders,
    jaffe,
    lfw,
    oulu_casia,
    raf_db,
    record_pack,
    yale,
)
from dwmtl.datasets.data_set import DataSet
from dwmtl.datasets.params import SetParams
from dwmtl.errors import DataSetError

ADAPTERS: dict[str, ModuleType] = {
    "affect_net": affect_net,
    "authors_labels": authors_labels,
    "bin_pack": bin_pack,
    "ck_plus": ck_plus,
    "ck_plus_48": ck_plus_48,
    "csv_table": csv_table,
    "fer2013": fer2013,
    "folders": folders,
    "jaffe": jaffe,
    "lfw": lfw,
    "oulu_casia": oulu_casia,
    "raf_db": raf_db,
    "record_pack": record_pack,
    "yale": yale,
}


def read_data_set(name: str, params: SetParams, *, num_peak_frames: int) -> DataSet:
    """Read a data set's folder with its adapter, rename its expressions, and check that it suits its role.

    Args:
        name: the set's key under `sets` in params.yaml.
        num_peak_frames: last frames of an expression sequence that show its expression.
    Raises:
        DataSetError: the adapter or the folder does not exist, the folder holds no photo, an expression has no common
            name, or the set does not suit its role.
    """
    adapter, folder = params.adapter, Path(params.folder)
    require_adapter(name, params)
    require_folder(name, params)
    data_set = ADAPTERS[adapter].read(folder, num_peak_frames=num_peak_frames, **params.adapter_options)
    if data_set.photos.empty:
        raise DataSetError(
            f"{folder}: no photo in the layout of `{adapter}` (docs/your_data.md shows it). Set sets.{name}.folder in "
            f"params.yaml to the set's folder, and sets.{name}.adapter to the adapter for its layout."
        )
    if params.role == "verification" and data_set.pairs is None:
        raise DataSetError(
            f"{folder}: `{adapter}` has no verification pairs, and the role of sets.{name} is verification. Choose "
            "another set for it."
        )
    photos = data_set.photos if params.expressions is None else _renamed(name, data_set.photos, params.expressions)
    if params.role == "expression" and not photos["expression"].any():
        raise DataSetError(
            f"{folder}: `{adapter}` has no expressions, and the role of sets.{name} is expression. Choose another set "
            "for it."
        )
    return DataSet(photos, data_set.pairs)


def require_adapter(name: str, params: SetParams) -> None:
    """Raises:
    DataSetError: the adapter of the set with this name does not exist.
    """
    if params.adapter not in ADAPTERS:
        raise DataSetError(
            f"sets.{name}.adapter must be one of {', '.join(sorted(ADAPTERS))}. Got {params.adapter!r} instead."
        )


def require_folder(name: str, params: SetParams) -> None:
    """Raises:
    DataSetError: the folder of the set with this name does not exist.
    """
    if not Path(params.folder).is_dir():
        raise DataSetError(
            f"{params.folder}: no such folder. Set sets.{name}.folder in params.yaml to the set's folder."
        )


def _renamed(name: str, photos: pd.DataFrame, expressions: dict[str, str | None]) -> pd.DataFrame:
    """The photos with the common names of their expressions; those whose expression has none are left out."""
    unmapped = sorted(set(photos["expression"]) - {""} - set(expressions))
    if unmapped:
        raise DataSetError(
            f"sets.{name}.expressions has no common name for {', '.join(unmapped)}. Name each of them, null to "
            "leave one out."
        )
    is_left_out = photos["expression"].map(lambda expression: expression != "" and expressions[expression] is None)
    renamed = photos["expression"].map(lambda expression: expressions.get(expression) or "")
    use = photos["use"].mask(is_left_out, "unused")
    is_neutral = renamed == "neutral"
    use = use.mask(is_neutral & (use == "peak"), "neutral").mask(
        ~is_neutral & (renamed != "") & (use == "neutral"), "peak"
    )
    return photos.assign(expression=renamed, use=use)
