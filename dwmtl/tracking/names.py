"""What things are called in MLflow, and digests by which they are found again. Pure; knows no server."""

import hashlib
from pathlib import Path


def metric_name(column: str) -> str:
    """A trajectory's column as a metric of MLflow, so that its charts group: `loss_identity` -> `loss/identity`."""
    kind, _, rest = column.partition("_")
    if kind in ("loss", "weight"):
        return f"{kind}/{rest}"
    if column == "center_loss":
        return "loss/center"
    if column.endswith("learning_rate"):
        return f"learning_rate/{column.removesuffix('learning_rate').rstrip('_') or 'network'}"
    if column.endswith("grad_norm"):
        return f"grad_norm/{column.removesuffix('grad_norm').rstrip('_') or 'network'}"
    return column


def flatten(values: dict[str, object], *, separator: str = "/", prefix: str = "") -> dict[str, object]:
    """Nested dicts as one, keys joined."""
    flat: dict[str, object] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, separator=separator, prefix=f"{prefix}{key}{separator}")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def files_sha256(paths: list[Path]) -> str:
    """One hash over the contents of files, in the order given."""
    whole = hashlib.sha256()
    for path in paths:
        whole.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return whole.hexdigest()
