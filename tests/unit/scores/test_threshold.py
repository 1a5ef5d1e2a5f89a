import pandas as pd
import pytest

from dwmtl.scores.threshold import ComparisonSettings, fold_thresholds, operating_threshold

PAIRS = pd.DataFrame(
    {
        "set": ["expression", "expression", "verification", "verification", "verification"],
        "fold": [0, 1, 0, 0, 1],
        "threshold": [3.0, 3.5, 0.4, 0.4, 0.6],
    }
)


def test_the_operating_threshold_is_the_mean_over_the_verification_sets_folds():
    settings = ComparisonSettings(distance="squared_euclidean", flip="none", subtract_mean=False)
    thresholds = fold_thresholds(PAIRS, settings, model_sha256="ab" * 32)
    assert thresholds.num_pairs == 3
    assert thresholds.threshold_per_fold == (0.4, 0.6)
    assert operating_threshold(thresholds) == pytest.approx(0.5)
