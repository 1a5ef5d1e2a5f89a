import pytest

from dwmtl.tracking.run import Run, metric_name


@pytest.mark.parametrize(
    ("column", "metric"),
    [
        ("loss_expression", "loss/expression"),
        ("center_loss", "loss/center"),
        ("keep_loss", "loss/keep"),
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


def test_a_run_without_a_server_ignores_what_is_logged_and_answers_nothing():
    with Run() as run:
        run.log_row({"step": 0, "loss_identity": 1.0})
        assert not run.is_logged
        assert run.ask(lambda client, run_id: run_id) is None
