"""Models in MLflow: a store of its own in the test's folder."""

import shutil

import pytest

from dwmtl.errors import ModelFileError
from dwmtl.inference.model import load_model


@pytest.fixture(scope="module")
def stored(known, tmp_path_factory):
    """A run's id: it has the known model as artifact `model`, with its threshold, and two as `both`."""
    from mlflow import MlflowClient

    folder = tmp_path_factory.mktemp("mlflow")
    packed = folder / "packed"
    shutil.copytree(known.model, packed / "artifacts" / "fold_0")
    known.write_threshold(packed / "artifacts" / "fold_0" / "threshold.json")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment = client.create_experiment("models", artifact_location=(folder / "artifacts").as_uri())
    run = client.create_run(experiment)
    client.log_artifacts(run.info.run_id, str(packed), "model")
    for name in ("a", "b"):
        client.log_artifacts(run.info.run_id, str(known.model), f"both/{name}")
    client.create_registered_model("faces")
    client.create_model_version("faces", source=f"{run.info.artifact_uri}/model", run_id=run.info.run_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        yield run.info.run_id


def test_a_runs_model_is_loaded_from_a_folder_inside_its_artifact(known, model, stored):
    loaded = load_model(f"runs:/{stored}/model", device="cpu")
    assert loaded.card == model.card
    assert loaded.threshold.value == 1.0
    assert loaded.analyze(known.photo("happiness")).chosen.expression == "happiness"


def test_a_registered_model_is_loaded_by_its_version(model, stored):
    assert load_model("models:/faces/1", device="cpu").card == model.card


def test_of_several_models_in_an_artifact_one_must_be_named(model, stored):
    with pytest.raises(ModelFileError, match=r"it holds 2 models of dwmtl \(a, b\)\. Name the folder of one"):
        load_model(f"runs:/{stored}/both", device="cpu")
    assert load_model(f"runs:/{stored}/both/b", device="cpu").card == model.card


def test_what_mlflow_does_not_have_is_told(stored):
    for uri in (f"runs:/{stored}/nothing", "runs:/0123/model", "models:/nobody/1"):
        with pytest.raises(ModelFileError, match=f"{uri}: "):
            load_model(uri, device="cpu")
