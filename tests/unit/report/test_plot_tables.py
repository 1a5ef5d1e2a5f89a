import runpy
from pathlib import Path

import pandas as pd
import pytest

from dwmtl.report.plot_tables import write_plot_tables

REPOSITORY = Path(__file__).resolve().parents[3]
small_world = runpy.run_path(str(REPOSITORY / "tests/unit/small_world.py"))
folds_of = small_world["folds_of"]


@pytest.fixture
def world(tmp_path):
    return small_world["make_world"](tmp_path)


def test_plot_tables_are_means_over_the_folds(world):
    write_plot_tables(folds_of(world[0]), world[0] / "plots")
    weights = pd.read_csv(world[0] / "plots/task_weights.csv")
    assert weights["identity"].tolist() == [0.35] * 40
    roc = pd.read_csv(world[0] / "plots/roc.csv")
    assert roc.columns.tolist() == ["far", "tar_expression", "tar_verification"]
    assert roc["tar_expression"].is_monotonic_increasing
    assert len(pd.read_csv(world[0] / "plots/confusion.csv")) == 32
