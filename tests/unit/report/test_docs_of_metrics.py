"""docs/evaluation.md names every key of the metrics, and none that is not there."""

import re
import runpy
from dataclasses import asdict
from pathlib import Path

import pytest

from dwmtl.report.summary import Summary, compared_numbers

REPOSITORY = Path(__file__).resolve().parents[3]
world_of = runpy.run_path(str(REPOSITORY / "tests/unit/small_world.py"))
CLASSES = "|".join(world_of["CLASSES"])
SCORE = {"mean", "std", "per_fold", "interval"}


def documented(heading: str) -> list[str]:
    """The keys of a section's table, in its order."""
    page = (REPOSITORY / "docs/evaluation.md").read_text()
    section = page.split(f"## `{heading}`")[1].split("\n## ")[0]
    first_cells = re.findall(r"^\| (`[^|]+`) \|", section, flags=re.MULTILINE)
    return [key for cell in first_cells for key in re.findall(r"`([^`]+)`", cell)]


def key_paths(value: object, prefix: str = "") -> set[str]:
    """Every leaf's keys joined with dots, names from the data and from params.yaml as the page writes them."""
    if not isinstance(value, dict) or not value:
        return {prefix}
    paths = set()
    for key, part in value.items():
        key = re.sub(rf"^({CLASSES})$", "<class>", key)
        key = re.sub(r"^(verification_val_at_far_)?0\.\d+$", r"\1<target>", key)
        paths |= key_paths(part, f"{prefix}.{key}" if prefix else key)
    return paths


@pytest.fixture
def folder(tmp_path) -> Path:
    world_of["make_world"](tmp_path)
    return tmp_path


@pytest.fixture
def summary(folder) -> Summary:
    return world_of["summary_of"](folder)


def test_the_page_names_every_number_of_the_summary(summary):
    assert sorted(compared_numbers(summary)) == sorted(documented("metrics/summary.json"))


def test_the_page_names_every_key_of_the_details(summary):
    keys = key_paths(asdict(summary))
    scores = {key.rpartition(".")[0] for key in keys if key.endswith(".per_fold")}
    others = {key for key in keys if key.rpartition(".")[0] not in scores or key.rpartition(".")[2] not in SCORE}
    assert sorted(others | scores) == sorted(documented("metrics/details.json"))
    without = {key for key, score in summary.scores.items() if score.interval is None}
    assert without == {"authentication_product"}  # the page says so above the table


def test_the_page_names_every_key_of_a_folds_metrics(folder):
    keys = key_paths(asdict(world_of["folds_of"](folder)[0].metrics))
    verification = {key.removeprefix("verification.") for key in keys if key.startswith("verification.")}
    expression_pairs = {key.removeprefix("expression_pairs.") for key in keys if key.startswith("expression_pairs.")}
    assert expression_pairs == verification  # the page says so in one row
    paths = {key for key in keys if not key.startswith("expression_pairs.")} - {"further_tasks"}
    assert sorted([*paths, "expression_pairs", "further_tasks.<task>"]) == sorted(
        documented("metrics/evaluation/fold_<k>/metrics.json")
    )
