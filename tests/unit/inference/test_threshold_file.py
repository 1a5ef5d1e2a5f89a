import json
from dataclasses import asdict

import pandas as pd
import pytest

from dwmtl.errors import ThresholdError
from dwmtl.files import write_json
from dwmtl.inference.threshold_file import read_threshold
from dwmtl.scores.threshold import ComparisonSettings, fold_thresholds

SHA256 = "ab" * 32
PAIRS = pd.DataFrame(
    {
        "set": ["expression", "expression", "verification", "verification", "verification"],
        "fold": [0, 1, 0, 0, 1],
        "threshold": [3.0, 3.5, 0.4, 0.4, 0.6],
    }
)


SETTINGS = ComparisonSettings(distance="squared_euclidean", flip="none", subtract_mean=False)


@pytest.fixture
def record() -> dict:
    """The content of a `threshold.json`."""
    return asdict(fold_thresholds(PAIRS, SETTINGS, model_sha256=SHA256))


def test_the_threshold_in_use_is_read_with_its_distance_and_source(record, tmp_path):
    write_json(record, tmp_path / "threshold.json")
    threshold = read_threshold(tmp_path / "threshold.json", model_sha256=SHA256)
    assert threshold.value == pytest.approx(0.5)
    assert threshold.distance == "squared_euclidean"
    assert threshold.source == f"mean over 2 folds of 3 pairs, {tmp_path / 'threshold.json'}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_sha256": "cd" * 32}, r"found with another model \(cdcdcdcdcdcd, not abababababab\)"),
        ({"flip": "concatenate"}, "flip concatenate.* Evaluate with flip none"),
        ({"distance": "cosine", "subtract_mean": True}, "subtract_mean True.* Evaluate with flip none"),
        ({"distance": "manhattan"}, "found with distance manhattan"),
    ],
)
def test_a_threshold_found_otherwise_than_it_is_used_is_refused(record, tmp_path, change, message):
    record["settings"] |= change
    write_json(record, tmp_path / "threshold.json")
    with pytest.raises(ThresholdError, match=message):
        read_threshold(tmp_path / "threshold.json", model_sha256=SHA256)


def test_a_mean_taken_away_changes_no_squared_euclidean_distance(record, tmp_path):
    record["settings"]["subtract_mean"] = True
    write_json(record, tmp_path / "threshold.json")
    assert read_threshold(tmp_path / "threshold.json", model_sha256=SHA256).value == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "no JSON file that can be read"),
        ("[]", "no thresholds of a model"),
        ("{}", "no thresholds of a model"),
        ('{"threshold_per_fold": ["x"], "num_pairs": 1, "settings": {}}', "no thresholds of a model"),
    ],
)
def test_a_file_that_is_no_threshold_is_told(tmp_path, content, message):
    (tmp_path / "threshold.json").write_text(content)
    with pytest.raises(ThresholdError, match=message):
        read_threshold(tmp_path / "threshold.json", model_sha256=SHA256)
    with pytest.raises(ThresholdError, match=r"missing\.json: no such file"):
        read_threshold(tmp_path / "missing.json", model_sha256=SHA256)


def test_thresholds_that_are_no_numbers_are_told(record, tmp_path):
    for values in ([], [float("nan")]):
        (tmp_path / "threshold.json").write_text(json.dumps(record | {"threshold_per_fold": values}))
        with pytest.raises(ThresholdError, match="holds no numbers"):
            read_threshold(tmp_path / "threshold.json", model_sha256=SHA256)
