"""The comparison of the weightings, a DVC project of its own: it runs, and its numbers and the page are right."""

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dwmtl.network.network import FaceNetwork
from dwmtl.network.params import LinearHeadParams, NetworkParams
from dwmtl.params import Params

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "benchmarks/weightings"
SHOWN = REPOSITORY / "docs/images/weightings"
pipeline = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("small_pipeline.py"))))


@pytest.fixture
def load(monkeypatch):
    """What a script of the comparison defines."""
    monkeypatch.syspath_prepend(FOLDER)
    return lambda script: runpy.run_path(str(FOLDER / script))


@pytest.fixture
def grid(load) -> dict:
    return load("grid.py")


@pytest.mark.parametrize("file", ["grid.yaml", "small.yaml"])
def test_every_cell_of_the_comparison_has_params(grid, file):
    values = grid["read_yaml"](FOLDER / file)
    for data_set in values["data_sets"]:
        params = Params.model_validate(grid["params_of"](values, data_set))
        for name, settings in values["weightings"].items():
            settings_of = grid["settings_of"](values, name)
            chosen = grid["training_params"](params, settings_of, seed=7, learning_rate=0.5).train
            assert (chosen.weighting.name, chosen.seed) == (settings.get("name", name), 7)
            assert chosen.optimizer.learning_rate == 0.5
            assert chosen.validation_fraction > 0  # by whom the rates are chosen


def test_the_comparison_is_a_dvc_project_of_its_own():
    assert "weightings" not in pipeline.dvc("stage", "list", "--all", "--name-only", folder=REPOSITORY)
    assert "cell@upgrad-ck_plus_48" in pipeline.dvc("stage", "list", "--name-only", folder=FOLDER)


@pytest.mark.slow
def test_the_comparison_runs_at_its_smallest_size(python, tmp_path):
    """As `make compare SMALL=1` does, from the photos to the table."""
    project = tmp_path / "small"
    done = python(FOLDER / "small.py", "--out", project, env=pipeline.environment(python.programs))
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("dynamic", "fixed_50"):
        (training,) = json.loads((project / f"results/rendered/{name}.json").read_text())["trainings"]
        assert sum(size for _, size in training["verification"].values()) == 20
        assert np.allclose(np.sum([*training["weights"].values()], axis=0), 1, atol=1e-3)
        assert f"| `{name}` |" in (project / "comparison.md").read_text()
    (again,) = json.loads((project / "repeated/rendered/fixed_50.json").read_text())["trainings"]
    assert (again["seed"], again["learning_rate"]) == (1, 0.001)
    assert "1 row, 2 seeds" in (project / "comparison.md").read_text()
    explained = json.loads((project / "explained/rendered.json").read_text())["courses"]["dynamic"]
    assert all(-1 <= measured["cosine"] <= 1 for measured in explained["gradients"])
    figures = {f"rendered_{name}.svg" for name in ("front", "weights", "repeated_front", "explained", "figure_2")}
    assert {path.name for path in (project / "figures").iterdir()} == figures
    num_stages = 1 + 1 + 4 + 1 + 1 + 1 + 1  # prepare, features, cell, repeat, explain, figure_2, table
    assert pipeline.dvc("repro", folder=project).count("didn't change, skipping") == num_stages


def test_the_page_of_results_has_what_the_comparison_gave(load, tmp_path):
    """docs/results.md and its figures are those of the committed records."""
    made = {"out": tmp_path / "comparison.md", "figures": tmp_path / "figures"}
    records = (FOLDER / name for name in ("results", "repeated", "explained", "figure_2"))
    load("table.py")["main"](*records, **made)
    assert made["out"].read_text() in (REPOSITORY / "docs/results.md").read_text()
    figures, shown = ({path.name: path.read_text() for path in folder.iterdir()} for folder in (made["figures"], SHOWN))
    assert figures == shown


def test_what_lies_above_the_frozen_part_gives_what_the_whole_network_gives(load):
    cut = load("frozen.py")["cut"]
    params = NetworkParams(trunk="mobilefacenet", standardization="fixed")
    network = FaceNetwork(params, {"identity": LinearHeadParams(name="linear")}, {"identity": 3}).eval()
    crops = torch.randint(256, (2, 3, 112, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole = network(network.standardize(crops)).embedding
        lower = cut(network, 9)(crops)
        assert lower.shape == (2, 128, 14, 12)
        assert torch.allclose(network(network.standardize(lower)).embedding, whole, atol=1e-6)


@pytest.fixture
def differences(load) -> dict:
    return load("differences.py")


def a_row(rights: dict[tuple[int, int], dict[str, int]]) -> list[dict]:
    """Trainings by seed and fold, with the right answers of 10 of each subject."""
    return [
        {"seed": seed, "fold": fold, "expression": {name: [right, 10] for name, right in subjects.items()}}
        for (seed, fold), subjects in rights.items()
    ]


def test_a_rule_has_the_rate_that_is_best_on_the_validation_subjects_by_loss_where_accuracies_tie(differences):
    of_rates = {0.1: ([0.9, 0.7], [0.1, 0.9]), 0.01: ([0.5, 0.8], [2.0, 0.6]), 0.001: ([0.6, 0.8], [1.0, 0.5])}
    trainings = [
        {"learning_rate": rate, "fold": fold, "validation": {"accuracy": accuracy, "loss": loss}}
        for rate, (accuracy, loss) in of_rates.items()
        for fold in range(2)
    ]
    assert differences["tuned"](trainings) == trainings[4:]


def test_a_subject_of_a_comparison_is_counted_in_each_seed_and_in_its_fold_alone(differences):
    rights = {(0, 0): {"a": 9}, (0, 1): {"b": 5}, (1, 0): {"a": 7}, (1, 1): {"b": 6}}
    counts = differences["counts_of"](a_row(rights), "expression")
    assert counts.right.tolist() == [[9, 7], [5, 6]]
    assert counts.mean == pytest.approx(27 / 40)


def test_a_difference_is_beyond_chance_where_every_person_and_seed_has_it_and_not_where_they_disagree(differences):
    base = {(seed, 0): {f"p{number}": 5 for number in range(12)} for seed in range(3)}
    better = {key: {name: 7 for name in subjects} for key, subjects in base.items()}
    mixed = {key: {name: 3 + 4 * (int(name[1:]) % 2) for name in subjects} for key, subjects in base.items()}
    reference, sure, unsure = (differences["counts_of"](a_row(row), "expression") for row in (base, better, mixed))
    sure = differences["difference"](sure, reference)
    assert (sure.mean, sure.low, sure.high) == pytest.approx((20, 20, 20))
    assert sure.p <= 0.001
    unsure = differences["difference"](unsure, reference)
    assert unsure.mean == pytest.approx(0)
    assert unsure.low < 0 < unsure.high
    assert unsure.p > 0.3


def test_p_values_are_corrected_for_their_number_as_in_holms_example(differences):
    corrected = differences["holm"]({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert corrected == pytest.approx({"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06})


def test_delta_m_is_the_mean_relative_change_of_the_tasks(differences):
    scores, single = {"expression": 0.9, "verification": 0.95}, {"expression": 0.8, "verification": 1.0}
    assert differences["delta_m"](scores, single) == pytest.approx((12.5 - 5) / 2)
