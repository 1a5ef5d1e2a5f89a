"""Finds a model: in a folder or in MLflow. Reads no weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from dwmtl.errors import ModelFileError
from dwmtl.network.model_file import CARD_FILE, model_folder

_MLFLOW_SCHEMES = ("runs:/", "models:/", "mlflow-artifacts:/")


@contextmanager
def local_model(source: Path | str) -> Iterator[Path]:
    """A model's folder on this machine: the given one, or a copy from MLflow that is removed when the block ends.

    Args:
        source: a model's folder, a file in it, or a URI of MLflow.
    Raises:
        ModelFileError: MLflow has no such artifacts, or they contain no model of dwmtl, or several.
    """
    if not str(source).startswith(_MLFLOW_SCHEMES):
        yield model_folder(source)
        return
    from dwmtl.tracking.server import download  # MLflow is slow to import, and not needed for a folder

    with TemporaryDirectory(prefix="dwmtl-model-") as copy:
        yield _model_below(download(str(source), Path(copy)), str(source))


def _model_below(folder: Path, source: str) -> Path:
    """The only folder with a model in what was downloaded, itself or below."""
    models = sorted(card.parent for card in folder.rglob(CARD_FILE)) if folder.is_dir() else []
    if len(models) != 1:
        places = ", ".join(str(place.relative_to(folder)) for place in models[:5])
        what = (
            f"holds {len(models)} models of dwmtl ({places})" if models else f"holds no model of dwmtl (no {CARD_FILE})"
        )
        raise ModelFileError(f"{source}: it {what}. Name the folder of one: {source.rstrip('/')}/<folder>.")
    return models[0]
