"""Where a loaded model's threshold comes from."""

import shutil

import pytest

from dwmtl.errors import ThresholdError
from dwmtl.inference.model import load_model


def test_without_a_threshold_there_is_no_answer(known):
    bare = load_model(known.model, device="cpu")
    assert bare.threshold is None
    with pytest.raises(ThresholdError, match="no threshold is known for this model"):
        bare.verify(known.photo("neutral"), known.photo("neutral"))
    assert bare.verify(known.photo("neutral"), known.photo("neutral"), threshold=0.5).is_same


@pytest.mark.parametrize("value", [0, -1, 5, float("nan")])
def test_a_threshold_out_of_range_is_refused(known, value):
    with pytest.raises(ThresholdError, match=r"squared Euclidean distance in \(0, 4\]"):
        load_model(known.model, device="cpu", threshold=value)


def test_the_threshold_beside_the_model_is_taken(known, tmp_path):
    shutil.copytree(known.model, tmp_path / "model")
    known.write_threshold(tmp_path / "model" / "threshold.json")
    threshold = load_model(tmp_path / "model", device="cpu").threshold
    assert threshold.value == 1.0
    assert threshold.source.startswith("mean over 2 folds of 20 pairs, ")


def test_the_threshold_of_the_pipelines_evaluation_is_taken_where_it_is_of_this_model(known, tmp_path, caplog):
    shutil.copytree(known.model, tmp_path / "data/models/fold_3")
    evaluated = tmp_path / "metrics/evaluation/fold_3/threshold.json"
    known.write_threshold(evaluated)
    assert load_model(tmp_path / "data/models/fold_3", device="cpu").threshold.value == 1.0
    known.write_threshold(evaluated, model_sha256="0" * 64)
    assert load_model(tmp_path / "data/models/fold_3", device="cpu").threshold is None
    assert "found with another model" in caplog.text


@pytest.mark.parametrize("link", ["data", "data/models", "data/models/fold_3", "named"])
def test_the_pipelines_threshold_is_found_where_a_folder_lies_on_another_disk(known, tmp_path, link):
    """As it is named, `data/models/fold_3`; `named` leads there from elsewhere."""
    disk, repository = tmp_path / "disk", tmp_path / "repository"
    (disk / "fold").mkdir(parents=True)
    place = repository / ("data/models/fold_3" if link == "named" else link)
    place.parent.mkdir(parents=True, exist_ok=True)
    if link == "named":
        (repository / "named").symlink_to(place)
    else:
        place.symlink_to(disk / "fold")
    shutil.copytree(known.model, repository / "data/models/fold_3", dirs_exist_ok=True)
    known.write_threshold(repository / "metrics/evaluation/fold_3/threshold.json")
    asked = repository / (link if link == "named" else "data/models/fold_3")
    assert load_model(asked, device="cpu").threshold.value == 1.0


def test_a_copy_of_a_model_has_the_threshold_of_its_evaluation_in_the_working_directory(known, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(known.model, "model")
    known.write_threshold(tmp_path / "metrics/evaluation/fold_0/threshold.json", model_sha256="0" * 64)
    (tmp_path / "metrics/evaluation/start").mkdir()
    assert load_model("model", device="cpu").threshold is None
    known.write_threshold(tmp_path / "metrics/evaluation/fold_3/threshold.json")
    assert load_model("model", device="cpu").threshold.value == 1.0


def test_a_cosine_threshold_compares_cosines(known, tmp_path):
    path = known.write_threshold(tmp_path / "threshold.json", distance="cosine")
    answer = load_model(known.model, device="cpu", threshold=path).verify(
        known.photo("neutral", "P002"), known.photo("neutral")
    )
    assert answer.distance == pytest.approx(1, abs=1e-2)  # half the squared Euclidean distance
    assert answer.as_json()["distance_kind"] == "cosine"
