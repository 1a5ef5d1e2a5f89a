"""The adapters by the names that `params.yaml` uses. A new one is one file, and one line here."""

from collections.abc import Callable
from pathlib import Path

from dwmtl.datasets import (
    affect_net,
    ck_plus,
    ck_plus_48,
    csv_table,
    fer2013,
    folders,
    jaffe,
    lfw,
    oulu_casia,
    raf_db,
    yale,
)
from dwmtl.datasets.data_set import DataSet
from dwmtl.errors import DataSetError

ADAPTERS: dict[str, Callable[..., DataSet]] = {
    "affect_net": affect_net.read,
    "ck_plus": ck_plus.read,
    "ck_plus_48": ck_plus_48.read,
    "csv_table": csv_table.read,
    "fer2013": fer2013.read,
    "folders": folders.read,
    "jaffe": jaffe.read,
    "lfw": lfw.read,
    "oulu_casia": oulu_casia.read,
    "raf_db": raf_db.read,
    "yale": yale.read,
}


def read_data_set(role: str, adapter: str, folder: Path, *, num_peak_frames: int) -> DataSet:
    """Read a data set's folder through its adapter and check that it serves its role.

    Args:
        role: `expression`, `verification` or `identity`, the set's key under `sets` in params.yaml.
        num_peak_frames: last frames of an expression sequence that show its expression.
    Raises:
        DataSetError: no such adapter or folder, nothing in it, or not what the role needs.
    """
    if adapter not in ADAPTERS:
        raise DataSetError(
            f"sets.{role}.adapter must be one of {', '.join(sorted(ADAPTERS))}. Got {adapter!r} instead."
        )
    folder = Path(folder)
    if not folder.is_dir():
        raise DataSetError(f"{folder}: no such folder. Set sets.{role}.folder in params.yaml to where the set lies.")
    data_set = ADAPTERS[adapter](folder, num_peak_frames=num_peak_frames)
    if data_set.photos.empty:
        raise DataSetError(
            f"{folder}: no photo in the layout of `{adapter}` (docs/your_data.md shows it). Set sets.{role}.folder in "
            f"params.yaml to where the set lies, and sets.{role}.adapter to what reads it."
        )
    if role == "verification" and data_set.pairs is None:
        raise DataSetError(
            f"{folder}: `{adapter}` has no verification pairs. Choose another sets.verification.adapter."
        )
    if role == "expression" and not data_set.photos["expression"].any():
        raise DataSetError(f"{folder}: `{adapter}` has no expressions. Choose another sets.expression.adapter.")
    return data_set
