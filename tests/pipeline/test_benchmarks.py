"""Every benchmark is part of `make bench`, and is called with options that it has."""

import re
import runpy
import shlex
from pathlib import Path

import pytest
import typer

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "benchmarks"
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


def test_make_bench_runs_every_benchmark(load):
    assert {script for script, *_ in load("bench.py")["RUNS"]} == {
        path.name for path in FOLDER.glob("*.py") if path.name not in NO_BENCHMARK
    }


def test_every_call_can_be_read(load):
    calls = [*load("bench.py")["RUNS"], *(shlex.split(call) for call in sorted(calls_of_the_pages()))]
    assert len(calls) > 15
    for script, *options in calls:
        main = typer.Typer(add_completion=False)
        main.command()(load(script)["main"])
        typer.main.get_command(main).make_context(script, options)  # reads the options, and runs nothing
