"""Logs a model to MLflow: its folder with its threshold, signature, input example and requirements; registers it.

Owns what MLflow stores about a model. MLflow runs `served_model` from its path; it is not imported here.
"""

import json
import shutil
import warnings
from importlib.metadata import requires, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packaging.requirements import Requirement

from dwmtl.network.model_file import BEST_FILE, CARD_FILE, METHOD_FILE, THRESHOLD_FILE
from dwmtl.tracking.digest import files_sha256
from dwmtl.tracking.experiments import MODEL_ID
from dwmtl.tracking.run import Run

NAME = "model"
"""Name of the logged model: `runs:/<run>/model`."""

_SCRIPT = Path(__file__).with_name("served_model.py")
_EXAMPLE = Path(__file__).with_name("example.jpg")  # a face that dwmtl drew, so that no photograph is in a model
_LOGGED_TAG = "dwmtl.logged_model"
_VERSIONS_TAG = "mlflow.modelVersions"
"""Tag by which the model's page and the list of models name its versions; of MLflow's APIs `register_model` sets it."""


def log_model(
    run: Run, model: Path, threshold: Path, *, weights: str, register_as: str | None, tags: dict[str, str]
) -> str | None:
    """Log a model's folder to its run as an MLflow model, once per model and threshold.

    The weights of the epoch best on the validation subjects are left out, since they are not served.

    Args:
        threshold: the model's `threshold.json`.
        weights: the weights to serve, `raw` or `ema`.
        register_as: name of the registered model that gets a new version; None: the model is not registered.
        tags: tags of the version.
    Returns:
        The model's id in MLflow; None where the run is not logged.
    """
    key = files_sha256([model / CARD_FILE, threshold])

    def log(client: Any, run_id: str) -> str:
        tracked = client.get_run(run_id)
        if tracked.data.tags.get(_LOGGED_TAG) == key and (logged := tracked.data.tags.get(MODEL_ID)):
            return logged
        with TemporaryDirectory(prefix="dwmtl-model-") as folder:
            whole = Path(folder) / "fold"
            shutil.copytree(model, whole, ignore=shutil.ignore_patterns(BEST_FILE, METHOD_FILE))
            shutil.copy(threshold, whole / THRESHOLD_FILE)
            model_id = _log(client, tracked, whole, weights)
        if register_as is not None:
            _register(client, register_as, model_id, run_id, tags)
        client.set_tag(run_id, MODEL_ID, model_id)
        client.set_tag(run_id, _LOGGED_TAG, key)
        return model_id

    return run.ask(log)


def pinned_requirements() -> list[str]:
    """dwmtl and its dependencies at the installed versions: `name==version`, sorted."""
    needed = [Requirement(line) for line in requires("dwmtl") or ()]
    names = {"dwmtl", *(each.name for each in needed if each.marker is None or each.marker.evaluate({"extra": ""}))}
    return sorted(f"{name}=={version(name).partition('+')[0]}" for name in names)  # an index has no version with `+cpu`


def _log(client: Any, tracked: Any, whole: Path, weights: str) -> str:
    """Log a model's folder; returns the id of the logged model."""
    import pandas as pd
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    run_id = tracked.info.run_id
    logged = client.create_logged_model(
        tracked.info.experiment_id, name=NAME, source_run_id=run_id, params=tracked.data.params
    )
    packed = whole.with_name("packed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow warns of its own classes
        from mlflow.pyfunc import save_model

        save_model(
            packed,
            mlflow_model=Model(artifact_path=logged.artifact_location, run_id=run_id, model_id=logged.model_id),
            python_model=_SCRIPT,
            artifacts={"model": str(whole)},
            model_config={"weights": weights},
            signature=_signature(),
            input_example=pd.DataFrame({"photo": [_EXAMPLE.read_bytes()]}),
            pip_requirements=pinned_requirements(),
        )
    for cache in packed.rglob("__pycache__"):
        shutil.rmtree(cache)
    client.log_model_artifacts(logged.model_id, str(packed))
    client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return logged.model_id


def _signature() -> Any:
    """Input: a photo's bytes. Output: the fields of `Analysis.as_json`."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Array, ColSpec, Map, Object, Property, Schema

    numbers = Array("double")
    kinds: dict[str, Any] = {
        "box": numbers,
        "landmarks": Array(numbers),
        "confidence": "double",
        "is_chosen": "boolean",
    }
    kinds |= {"probabilities": Map(Map("double")), "values": Map(Map("double")), "embedding": numbers}
    face = Object([Property(name, kind) for name, kind in kinds.items()])
    answer: dict[str, Any] = {
        "photo": "string",
        "width_px": "long",
        "height_px": "long",
        "num_faces": "long",
        "faces": Array(face),
    }
    return ModelSignature(
        inputs=Schema([ColSpec("binary", "photo")]),
        outputs=Schema([ColSpec(kind, name) for name, kind in answer.items()]),
    )


def _register(client: Any, name: str, model_id: str, run_id: str, tags: dict[str, str]) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description="Folds trained by dwmtl; a version's tags say which.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    version = client.create_model_version(name, f"models:/{model_id}", run_id=run_id, tags=tags, model_id=model_id)
    listed = [{"name": name, "version": version.version}]
    client.set_logged_model_tags(model_id, {_VERSIONS_TAG: json.dumps(listed)})
