import pytest

from dwmtl.tracking.data_sets import DataSet
from dwmtl.tracking.run import Run, logged_name, metric_name

LONG = "x" * 300
PATHS = ["joy//", "..", ".", "", "../x", "/x", "x/"]
WORDS = ["happy!", "fear, anger", "it's", "50 %", "sad (a bit)", "c:", "a\nb", "😀", "e\u0301", LONG, *PATHS]
"""Names of classes that a table of one's own may hold, and MLflow refuses."""


@pytest.fixture
def run(store) -> Run:
    return Run(store, store.create_run(store.get_experiment_by_name("dwmtl").experiment_id).info.run_id)


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


def test_the_epoch_is_not_the_metric_on_which_mlflows_comparison_opens(run, store):
    run.log_row({"step": 0, "epoch": 0, "loss_identity": 1.0, "weight_identity": 0.5})
    run.finish()
    assert list(store.get_run(run.run_id).data.metrics) == ["loss/identity", "weight/identity", "epoch"]


@pytest.mark.parametrize("name", ["expression/per_class/happy", "a b/c-d.e", "sets.x.expressions.überrascht"])
def test_a_name_that_mlflow_takes_stays(name):
    assert logged_name(name) == name


@pytest.mark.parametrize("word", WORDS)
def test_no_word_of_a_user_loses_a_score(run, store, word):
    run.log_metrics({"expression": {"per_class": {word: 0.5, "happy": 0.6}, "accuracy": 0.7}})
    run.log_row({"step": 0, f"loss_{word}": 1.0})
    run.log_params({"sets": {"x": {"expressions": {word: "happiness"}}}, "train": {"seed": 1}})
    run.finish()
    logged = store.get_run(run.run_id)
    assert run.is_logged
    assert sorted(logged.data.metrics.values()) == [0.5, 0.6, 0.7, 1.0]
    assert sorted(logged.data.params.values()) == ["1", "happiness"]
    assert logged.info.status == "FINISHED"


def test_two_words_that_mlflow_refuses_keep_two_scores(run, store):
    words = {word: number / 100 for number, word in enumerate([*WORDS, "happy?", f"{LONG}y"])}
    run.log_metrics({"per_class": words})
    assert sorted(store.get_run(run.run_id).data.metrics.values()) == sorted(words.values())


def test_sets_of_any_number_are_named_as_the_data(run, store):
    title = ", ".join(f"set_{number} (csv_table)" for number in range(50))
    run.log_data_sets([DataSet(title, "ab" * 32, "training")])
    (data,) = store.get_run(run.run_id).inputs.dataset_inputs
    assert data.dataset.name.startswith("set_0 (csv_table), set_1")
