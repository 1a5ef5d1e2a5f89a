import shutil
from pathlib import Path

import pytest

from dwmtl.errors import DwmtlError, ModelFileError, ThresholdError
from dwmtl.inference.export_model import export_model
from dwmtl.inference.model import load_model


@pytest.fixture
def evaluated(known, tmp_path) -> Path:
    """The known model as the pipeline has it, with files for training alone."""
    model = tmp_path / "checkout/data/models/fold_0"
    shutil.copytree(known.model, model)
    known.write_threshold(tmp_path / "checkout/metrics/evaluation/fold_0/threshold.json")
    for name in ("model_best.safetensors", "method.safetensors"):
        (model / name).write_bytes(b"of the training")
    return model


def test_an_exported_model_answers_wherever_it_is_moved(known, evaluated, tmp_path):
    exported = export_model(evaluated, tmp_path / "model")
    assert exported.value == 1.0
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        "model.json",
        "model.safetensors",
        "threshold.json",
    }
    shutil.move(tmp_path / "model", tmp_path / "moved")
    model = load_model(tmp_path / "moved", device="cpu")
    assert model.verify(known.photo("happiness"), known.photo("neutral")).is_same


def test_a_threshold_may_be_named(known, tmp_path):
    given = known.write_threshold(tmp_path / "scores.json")
    assert export_model(known.model, tmp_path / "model", threshold=given).value == 1.0


def test_a_model_without_a_threshold_of_its_own_is_not_exported(known, tmp_path):
    with pytest.raises(ThresholdError, match=r"no threshold is known for this model\. Name its file with --threshold"):
        export_model(known.model, tmp_path / "model")
    other = known.write_threshold(tmp_path / "other.json", model_sha256="0" * 64)
    with pytest.raises(ThresholdError, match="found with another model"):
        export_model(known.model, tmp_path / "model", threshold=other)
    with pytest.raises(ModelFileError, match="no such file"):
        export_model(tmp_path / "nothing", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_folder_that_holds_something_is_not_written_over(evaluated, tmp_path):
    with pytest.raises(DwmtlError, match="it is there already, and not empty"):
        export_model(evaluated, tmp_path / "checkout")
