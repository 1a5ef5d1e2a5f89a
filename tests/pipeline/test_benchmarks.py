"""Every benchmark is part of `make bench` and is called with options that it has; the weightings' comparison runs."""

import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import typer

from dwmtl.network.network import FaceNetwork
from dwmtl.network.params import LinearHeadParams, NetworkParams
from dwmtl.params import Params

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "benchmarks"
PAGE = REPOSITORY / "docs/benchmarks.md"
NO_BENCHMARK = {"bench.py", "outcome.py", "figure_2.py"}


@pytest.fixture
def load(monkeypatch):
    """What a script defines."""
    monkeypatch.syspath_prepend(FOLDER)
    return lambda script: runpy.run_path(str(FOLDER / script))


def calls_of_the_pages() -> set[str]:
    """Every `python benchmarks/...` that a page of docs/ names, with its options."""
    text = "\n".join(page.read_text() for page in (REPOSITORY / "docs").glob("*.md"))
    return {call.replace("[", "").replace("]", "") for call in re.findall(r"python benchmarks/([^`\n]*)", text)}


def calls_on_a_gpu() -> set[str]:
    """Every benchmark that `gpu.sh` runs, with its options."""
    return set(re.findall(r"^ +step \w+ \d+ benchmarks/(.*)", (FOLDER / "gpu.sh").read_text(), flags=re.MULTILINE))


def test_make_bench_runs_every_benchmark(load):
    assert {script for script, *_ in load("bench.py")["RUNS"]} == {
        path.name for path in FOLDER.glob("*.py") if path.name not in NO_BENCHMARK
    }


def test_every_call_can_be_read(load):
    told = sorted(calls_of_the_pages() | calls_on_a_gpu())
    calls = [*load("bench.py")["RUNS"], *(shlex.split(call) for call in told)]
    assert len(calls) > 25
    for script, *options in calls:
        main = typer.Typer(add_completion=False)
        main.command()(load(script)["main"])
        typer.main.get_command(main).make_context(script, options)  # reads the options, and runs nothing


def test_the_page_of_results_has_the_table_and_the_figure_of_keep(load, tmp_path, capsys):
    load("real/keep.py")["main"](FOLDER / "real/results/keep", tmp_path / "keep.svg")
    assert capsys.readouterr().out.strip() in (REPOSITORY / "docs/results.md").read_text()
    assert (tmp_path / "keep.svg").read_text() == (REPOSITORY / "docs/images/keep.svg").read_text()


def test_the_pareto_of_keep_has_a_row_and_a_point_per_weight(load, tmp_path, capsys):
    for keep, accuracies in {20: (0.9, 0.98), 0: (0.95, 0.9)}.items():
        scores = {"expression": accuracies[0], "verification": accuracies[1], "authentication": 0.9}
        record = {
            "params": {"train": {"keep": keep}},
            "start": {"verification_accuracy": 0.99},
            "scores": {f"{name}_accuracy": {"per_fold": [value, value]} for name, value in scores.items()},
        }
        (tmp_path / f"{keep}.json").write_text(json.dumps(record))
    load("real/keep.py")["main"](tmp_path, tmp_path / "keep.svg")
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| 0 | 95.0 % | 90.00 % | -9.00 | 90.0 % |",
        "| 20 | 90.0 % | 98.00 % | -1.00 | 90.0 % |",
    ]
    assert [f"keep {keep}" in (tmp_path / "keep.svg").read_text() for keep in (0, 20)] == [True, True]


@pytest.fixture
def grid(monkeypatch) -> dict:
    """What `grid.py` of the comparison defines."""
    monkeypatch.syspath_prepend(FOLDER / "weightings")
    return runpy.run_path(str(FOLDER / "weightings/grid.py"))


@pytest.mark.parametrize("file", ["grid.yaml", "small.yaml"])
def test_every_cell_of_the_comparison_has_params(grid, file):
    values = grid["read_yaml"](FOLDER / "weightings" / file)
    for data_set in values["data_sets"]:
        params = Params.model_validate(grid["params_of"](values, data_set))
        for name, settings in values["weightings"].items():
            settings_of = grid["settings_of"](values, name)
            chosen = grid["training_params"](params, settings_of, seed=7, learning_rate=0.5).train
            assert (chosen.weighting.name, chosen.seed) == (settings.get("name", name), 7)
            assert chosen.optimizer.learning_rate == 0.5
            assert chosen.validation_fraction > 0  # by whom the rates are chosen


@pytest.fixture
def rounds(load) -> Callable:
    return load("outcome.py")["Rounds"]


def test_the_ratio_of_a_row_is_the_median_over_the_rounds(rounds):
    quick = rounds(ours=[2.0, 4.0, 3.0], other=[1.0, 2.0, 1.4], is_rate=True)
    row = quick.outcome("a", "{:.1f} images/s".format, wanted=1.3).row()
    assert row == "| a | 3.0 images/s | 1.4 images/s | 2.00 | >= 1.3 |"
    short = rounds(ours=[0.1, 0.2], other=[0.2, 0.4], is_rate=False)
    assert short.outcome("a", "{:.2f} s".format).row() == "| a | 0.15 s | 0.30 s | 2.00 |  |"


@pytest.mark.parametrize(
    ("ours", "other", "is_rate", "noise"),
    [
        ([3.0, 12.0], [10.6, 1.8], True, "noise: 0.28 to 6.67"),  # 7.5 against 6.2 was printed as 3.47
        ([8.0, 7.0, 2.0, 2.1], [2.0, 2.1, 8.0, 7.0], True, "noise: 0.25 to 4.00"),
        ([0.1, 0.5, 0.3], [0.1, 0.1, 0.9], False, "noise: 0.20 to 3.00"),
    ],
)
def test_a_ratio_that_its_row_contradicts_is_shown_as_noise(rounds, ours, other, is_rate, noise):
    outcome = rounds(ours=ours, other=other, is_rate=is_rate).outcome("a", "{:.1f}".format, wanted=2)
    assert outcome.ratio is None
    assert f"| {noise} | >= 2 |" in outcome.row()


def test_rounds_are_added_until_they_agree_but_not_for_ever(load):
    rounds_until = load("outcome.py")["rounds_until"]
    assert list(rounds_until(lambda: True, 3)) == [0, 1, 2]
    assert list(rounds_until(lambda: False, 3)) == list(range(9))
    answers = iter([False, True])
    assert list(rounds_until(lambda: next(answers), 3)) == [0, 1, 2, 3]


def test_no_row_of_the_page_contradicts_its_ratio():
    """Of any table: from its end, the columns are wanted, ratio, the other and ours."""
    number = r"\**([\d.]+)[^|]*"
    rows = re.findall(rf"^\|.*\| {number}\| {number}\| \**([\d.]+)\** \|[^|]*\|$", PAGE.read_text(), re.MULTILINE)
    assert len(rows) > 8
    for ours, other, ratio in (map(float, row) for row in rows):
        assert any(1 / 1.1 < ratio / of_row < 1.1 for of_row in (ours / other, other / ours)), (ours, other, ratio)


def test_scaling_runs_every_stage_of_the_map_with_nothing_left_to_fill_in(load, tmp_path):
    scaling = load("scaling.py")
    commands = list(scaling["commands"](scaling["write_params"](tmp_path, 1)))
    assert [name for name, _ in commands].count("index") == 3
    stages = dvc("stage", "list", "--name-only", folder=REPOSITORY).split()
    assert {name for name, _ in commands} == {stage.partition("@")[0] for stage in stages}
    assert not [word for _, words in commands for word in words if "$" in word]


def dvc(*arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=folder, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(*programs: Path) -> dict[str, str]:
    """With folders of programs first, then this Python's, as the Makefile has it."""
    folders = [*map(str, programs), str(Path(sys.executable).parent), os.environ["PATH"]]
    return os.environ | {"PATH": os.pathsep.join(folders)}


def test_the_comparison_is_a_dvc_project_of_its_own():
    assert "weightings" not in dvc("stage", "list", "--all", "--name-only", folder=REPOSITORY)
    assert "cell@upgrad-ck_plus_48" in dvc("stage", "list", "--name-only", folder=FOLDER / "weightings")


@pytest.mark.slow
def test_the_comparison_runs_at_its_smallest_size(python, tmp_path):
    """As `make compare SMALL=1` does, from the photos to the table."""
    project = tmp_path / "small"
    done = python(FOLDER / "weightings/small.py", "--out", project, env=environment(python.programs))
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
    assert dvc("repro", folder=project).count("didn't change, skipping") == num_stages


def test_the_page_of_results_has_what_the_comparison_gave(load, tmp_path, monkeypatch):
    """docs/results.md and its figures are those of the committed records."""
    monkeypatch.syspath_prepend(FOLDER / "weightings")
    made = {"out": tmp_path / "comparison.md", "figures": tmp_path / "figures"}
    weightings = FOLDER / "weightings"
    records = (weightings / name for name in ("results", "repeated", "explained", "figure_2"))
    load("weightings/table.py")["main"](*records, **made)
    assert made["out"].read_text() in (REPOSITORY / "docs/results.md").read_text()
    for figure in made["figures"].iterdir():
        assert figure.read_text() == (REPOSITORY / "docs/images/weightings" / figure.name).read_text()


def test_what_lies_above_the_frozen_part_gives_what_the_whole_network_gives(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER / "weightings")
    cut = runpy.run_path(str(FOLDER / "weightings/frozen.py"))["cut"]
    params = NetworkParams(trunk="mobilefacenet", standardization="fixed")
    network = FaceNetwork(params, {"identity": LinearHeadParams(name="linear")}, {"identity": 3}).eval()
    crops = torch.randint(256, (2, 3, 112, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole = network(network.standardize(crops)).embedding
        lower = cut(network, 9)(crops)
        assert lower.shape == (2, 128, 14, 12)
        assert torch.allclose(network(network.standardize(lower)).embedding, whole, atol=1e-6)


@pytest.fixture
def differences(monkeypatch) -> dict:
    monkeypatch.syspath_prepend(FOLDER / "weightings")
    return runpy.run_path(str(FOLDER / "weightings/differences.py"))


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
