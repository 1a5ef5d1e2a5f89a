import subprocess
from pathlib import Path

import pandas as pd
import pytest

from dwmtl import tables

EXPRESSIONS = ("anger", "happiness", "surprise")


def _labels(shown: dict[str, tuple[str, ...]]) -> pd.DataFrame:
    """Two subjects a fold; a neutral frame and two peaks of each expression that a subject shows."""
    rows = [
        (f"{subject}/{expression}/{frame}", subject, f"{subject}/{expression}", frame, label, use, number // 2)
        for number, (subject, expressions) in enumerate(shown.items())
        for expression in expressions
        for frame, label, use in ((0, "neutral", "neutral"), (1, expression, "peak"), (2, expression, "peak"))
    ]
    return pd.DataFrame(rows, columns=list(tables.EXPRESSION_LABELS))


def _official(blocks: list[tuple[bool, ...]]) -> pd.DataFrame:
    rows = [(f"{block}a", f"{block}b", same, block) for block, kinds in enumerate(blocks) for same in kinds]
    return pd.DataFrame(rows, columns=list(tables.VERIFICATION_PAIRS))


@pytest.fixture
def run(python, tmp_path, write_params):
    """Runs the stage on four subjects in two folds and two blocks of official pairs in tmp_path."""
    tables.write_table(
        _labels(dict.fromkeys(("P1", "P2", "P3", "P4"), EXPRESSIONS)), tmp_path / "labels/expression.csv"
    )
    tables.write_table(_official([(True, False), (True, False)]), tmp_path / "verification/verification/pairs.csv")

    def run(changes: dict[str, object] | None = None) -> subprocess.CompletedProcess:
        params = write_params({"folds": [0], "labels.num_folds": 2, "pairs.num_blocks": 4, **(changes or {})})
        options = [
            f"--labels={tmp_path / 'labels'}",
            f"--expression={tmp_path / 'expression'}",
            f"--verification={tmp_path / 'verification'}",
            f"--out={tmp_path / 'pairs'}",
            f"--params={params}",
        ]
        return python("stages/pairs.py", *options)

    return run


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_pairs_of_every_fold_and_the_official_ones_are_written(run, tmp_path):
    done = run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(_files(tmp_path / "pairs")) == ["fold_0.csv", "fold_1.csv", "left_out.csv", "verification.csv"]
    for fold, subjects in enumerate(({"P1", "P2"}, {"P3", "P4"})):
        pairs = tables.read_table(tmp_path / "pairs" / f"fold_{fold}.csv", tables.EXPRESSION_PAIRS)
        assert len(pairs) == 2 * 3 * 2 * 4
        assert set(pairs["input"].str[:2]) | set(pairs["reference"].str[:2]) == subjects
    official = tables.read_table(tmp_path / "pairs/verification.csv", tables.VERIFICATION_PAIRS)
    assert official.iloc[0].tolist() == ["verification/0a", "verification/0b", True, 0]


def test_adding_a_fold_to_run_changes_no_pair(run, tmp_path):
    run()
    first = _files(tmp_path / "pairs")
    run({"folds": [0, 1]})
    assert _files(tmp_path / "pairs") == first


def test_pairs_that_cannot_be_made_are_counted_and_listed(run, tmp_path):
    shown = {"P1": EXPRESSIONS, "P2": EXPRESSIONS, "P3": (*EXPRESSIONS, "fear"), "P4": ("anger", "surprise")}
    tables.write_table(_labels(shown), tmp_path / "labels/expression.csv")
    done = run()
    left_out = tables.read_table(tmp_path / "pairs/left_out.csv", tables.LEFT_OUT_PAIRS)
    assert done.returncode == 0
    assert f"WARNING: {4 * len(left_out)} pairs cannot be made" in done.stderr
    assert set(left_out["subject"]) == {"P3", "P4"}
    assert set(left_out["fold"]) == {1}
    assert set(left_out["reason"]) == {"no other test subject shows it", "the subject never shows it"}


def test_too_few_pairs_is_one_message_and_keeps_the_old_pairs(run, tmp_path):
    run()
    old = _files(tmp_path / "pairs")
    done = run({"pairs.num_blocks": 25})
    assert done.returncode == 1
    assert done.stderr.startswith("error: the test subjects of fold 0 give 48 pairs, and pairs.num_blocks (25) needs")
    assert _files(tmp_path / "pairs") == old


def test_official_block_of_one_kind_is_one_message(run, tmp_path):
    tables.write_table(_official([(True, False), (False, False)]), tmp_path / "verification/verification/pairs.csv")
    done = run()
    assert done.returncode == 1
    assert done.stderr.startswith("error: block 1 of the pairs of sets.verification has no genuine pair")


def test_every_photo_may_be_a_reference(run, tmp_path):
    done = run({"pairs.references": "all"})
    pairs = tables.read_table(tmp_path / "pairs" / "fold_0.csv", tables.EXPRESSION_PAIRS)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(pairs) == 2 * 9 * 2 * 4
    assert set(pairs["expression_reference"]) == {"neutral", *EXPRESSIONS}
