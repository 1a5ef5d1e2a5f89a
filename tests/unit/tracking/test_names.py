import pytest

from dwmtl.tracking.names import files_sha256, flatten, metric_name


@pytest.mark.parametrize(
    ("column", "metric"),
    [
        ("loss_expression", "loss/expression"),
        ("center_loss", "loss/center"),
        ("weight_identity", "weight/identity"),
        ("learning_rate", "learning_rate/network"),
        ("weighting_learning_rate", "learning_rate/weighting"),
        ("grad_norm", "grad_norm/network"),
        ("weighting_grad_norm", "grad_norm/weighting"),
        ("epoch", "epoch"),
    ],
)
def test_columns_have_metric_names(column, metric):
    assert metric_name(column) == metric


def test_flatten_joins_keys():
    assert flatten({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a/b": 1, "a/c/d": 2, "e": 3}


def test_a_hash_of_files_is_of_their_contents(tmp_path):
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("1")
    assert files_sha256([tmp_path / "a"]) == files_sha256([tmp_path / "b"])
    (tmp_path / "b").write_text("2")
    assert files_sha256([tmp_path / "a"]) != files_sha256([tmp_path / "b"])
