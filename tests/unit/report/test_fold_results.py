import runpy
from pathlib import Path

import pytest

from dwmtl.errors import TableError
from dwmtl.report.fold_results import read_fold
from dwmtl.tables import EVALUATED_PAIRS, read_table, write_table

REPOSITORY = Path(__file__).resolve().parents[3]
small_world = runpy.run_path(str(REPOSITORY / "tests/unit/small_world.py"))
folds_of = small_world["folds_of"]


@pytest.fixture
def world(tmp_path):
    return small_world["make_world"](tmp_path)


def test_a_subject_keeps_its_zeros_on_the_way_through_the_table(world):
    path = world[0] / "evaluation/fold_0/pairs.csv"
    pairs = read_table(path, EVALUATED_PAIRS).assign(input_subject="007", reference_subject="07")
    write_table(pairs, path)
    read = folds_of(world[0])[0].pairs
    assert set(read["input_subject"]) == {"007"}
    assert set(read["reference_subject"]) == {"07"}


def test_a_damaged_file_of_metrics_is_named(world):
    (world[0] / "evaluation/fold_1/metrics.json").write_text("{")
    with pytest.raises(TableError, match=r"fold_1/metrics\.json: Invalid JSON.* Run `dvc repro` to make it again"):
        folds_of(world[0])


def test_a_key_of_the_metrics_that_is_missing_is_named(world):
    path = world[0] / "evaluation/fold_1/metrics.json"
    path.write_text(path.read_text().replace('"macro_f1":', '"f1":'))
    with pytest.raises(TableError, match=r"fold_1/metrics\.json: expression\.macro_f1: Field required"):
        folds_of(world[0])


def test_a_fold_that_was_not_evaluated_is_named(world):
    with pytest.raises(TableError, match=r"training/fold_7/trajectory\.csv: no such table"):
        read_fold(7, world[0] / "training", world[0] / "evaluation")
