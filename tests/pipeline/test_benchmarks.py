"""Every benchmark is part of `make bench` and is called with options that it has; its rows are what was measured."""

import json
import re
import runpy
import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "benchmarks"
pipeline = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("small_pipeline.py"))))
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
    stages = pipeline.dvc("stage", "list", "--name-only", folder=REPOSITORY).split()
    assert {name for name, _ in commands} == {stage.partition("@")[0] for stage in stages}
    assert not [word for _, words in commands for word in words if "$" in word]
