"""docs/evaluation.md names every key of the metrics, and none that is not there."""

import re
import runpy
from pathlib import Path

import pytest

from dwmtl.report.summary import summarize

REPOSITORY = Path(__file__).resolve().parents[3]
world_of = runpy.run_path(str(Path(__file__).with_name("test_fold_and_report.py")))
CLASSES = "|".join(world_of["CLASSES"])
SCORE = {"mean", "std", "per_fold", "interval"}


def documented(heading: str) -> list[str]:
    """The keys of a section's table, in its order."""
    page = (REPOSITORY / "docs/evaluation.md").read_text()
    section = page.split(f"## `{heading}`")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", section, flags=re.MULTILINE)


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
def folds(tmp_path):
    world_of["make_world"](tmp_path)
    return world_of["folds_of"](tmp_path)


def test_the_page_names_every_key_of_the_summary(folds):
    summary = summarize(folds)
    there = key_paths(summary)
    scores = {path.rpartition(".")[0] for path in there if path.endswith(".per_fold")}
    paths = {path for path in there if path.rpartition(".")[0] not in scores or path.rpartition(".")[2] not in SCORE}
    assert sorted(paths | scores) == sorted(documented("metrics/summary.json"))
    with_interval = {path.removesuffix(".interval") for path in there if path.endswith(".interval")}
    without = {path for path in scores if path.startswith("expression_per_class.")} | {"authentication_product"}
    assert with_interval == scores - without  # the page says so above the table


def test_the_page_names_every_key_of_a_folds_metrics(folds):
    there = key_paths(folds[0].metrics)
    verification = {path.removeprefix("verification.") for path in there if path.startswith("verification.")}
    own = {path.removeprefix("expression_pairs.") for path in there if path.startswith("expression_pairs.")}
    assert own == verification  # the page says so in one row
    paths = {path for path in there if not path.startswith("expression_pairs.")} - {"further_tasks"}
    assert sorted([*paths, "expression_pairs", "further_tasks.<task>"]) == sorted(
        documented("metrics/evaluation/fold_<k>/metrics.json")
    )
