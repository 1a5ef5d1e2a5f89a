import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from dwmtl import tables

EXPRESSIONS = ("anger", "happiness", "surprise")


def _write_manifest(folder: Path, rows: list[tuple]) -> None:
    tables.write_table(pd.DataFrame(rows, columns=list(tables.MANIFEST)), folder / "manifest.csv")


def _expression_rows(*subjects: str) -> list[tuple]:
    """A neutral frame, a frame that is not used and a peak of each expression, sorted by photo."""
    return [
        (f"{subject}/{expression}/{frame}", subject, f"{subject}/{expression}", frame, shown or expression, use)
        for subject in subjects
        for expression in EXPRESSIONS
        for frame, shown, use in ((0, "neutral", "neutral"), (1, "", "unused"), (2, "", "peak"))
    ]


def _write_facts(folder: Path, manifest: Path, same: dict[str, str]) -> None:
    """A picture a photo, but for those that are the `same` as another photo."""
    photos = tables.read_table(manifest / "manifest.csv", tables.MANIFEST)["photo"]
    rows = [(photo, same.get(photo, photo), "", 9, 9) for photo in photos]
    tables.write_table(pd.DataFrame(rows, columns=list(tables.PHOTO_FACTS)), folder / "facts.csv")


@pytest.fixture
def run(python, tmp_path, write_params):
    """Runs the stage on a small expression set and a small identity set in tmp_path, with changed params."""
    _write_manifest(tmp_path / "expression/expression", _expression_rows("007", "P2", "P3", "P4", "P5"))
    _write_manifest(
        tmp_path / "identity/identity", [(f"{n}/{i}", n, "", 0, "", "identity") for n in "ab" for i in range(2)]
    )

    for role in ("expression", "identity"):
        _write_facts(tmp_path / "facts" / role / role, tmp_path / role / role, {})

    def run(changes: dict[str, object]) -> subprocess.CompletedProcess:
        params = write_params(changes)
        options = [
            f"--expression={tmp_path / 'expression'}",
            f"--identity={tmp_path / 'identity'}",
            f"--out={tmp_path / 'labels'}",
            f"--facts={tmp_path / 'facts'}",
            f"--params={params}",
        ]
        return python("stages/labels.py", *options)

    return run


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_labels_classes_and_folds_are_written(run, tmp_path):
    done = run({"labels.num_folds": 2})
    assert (done.returncode, done.stderr) == (0, "")
    labels = tables.read_table(tmp_path / "labels" / "expression.csv", tables.EXPRESSION_LABELS)
    identities = tables.read_table(tmp_path / "labels" / "identity.csv", tables.IDENTITY_LABELS)
    folds = tables.read_table(tmp_path / "labels" / "folds.csv", tables.FOLDS)
    classes = json.loads((tmp_path / "labels" / "classes.json").read_text())
    assert folds.to_numpy().tolist() == [
        [f"expression/{name}", fold] for name, fold in (("007", 0), ("P2", 0), ("P3", 0), ("P4", 1), ("P5", 1))
    ]
    assert len(labels) == 5 * 3 * 2
    assert labels["photo"].is_monotonic_increasing
    assert dict(zip(labels["subject"], labels["fold"], strict=True)) == dict(folds.to_numpy().tolist())
    assert identities["identity"].tolist() == [0, 0, 1, 1]
    assert classes == {"expressions": ["anger", "happiness", "neutral", "surprise"]}


def test_second_run_gives_the_same_bytes(run, tmp_path):
    run({"labels.num_folds": 2})
    first = _files(tmp_path / "labels")
    run({"labels.num_folds": 2})
    assert _files(tmp_path / "labels") == first


def test_without_a_neutral_class_the_neutral_rows_stay(run, tmp_path):
    run({"labels.num_folds": 2, "labels.has_neutral": False})
    labels = tables.read_table(tmp_path / "labels" / "expression.csv", tables.EXPRESSION_LABELS)
    classes = json.loads((tmp_path / "labels" / "classes.json").read_text())
    assert classes == {"expressions": list(EXPRESSIONS)}
    assert (labels["expression"] == "neutral").sum() == 15


def test_more_folds_than_subjects_is_one_message_and_no_output(run, tmp_path):
    done = run({"labels.num_folds": 6})
    assert done.returncode == 1
    assert done.stderr == (
        "error: labels.num_folds must be <= the number of subjects (5). Got 6 instead. "
        "Lower labels.num_folds, or add subjects to the expression set.\n"
    )
    assert not (tmp_path / "labels").exists()


def test_subject_without_a_label_is_one_message_that_names_it(run, tmp_path):
    rows = [*_expression_rows("P1", "P2"), ("P3/0", "P3", "", 0, "", "identity")]
    _write_manifest(tmp_path / "expression/expression", rows)
    done = run({"labels.num_folds": 2})
    assert done.returncode == 1
    assert done.stderr.startswith("error: no photo of expression/P3 shows an expression.")


def test_typo_in_another_stages_section_stops_this_one(run, tmp_path):
    done = run({"evaluate.flips": "sum"})
    assert done.returncode == 1
    assert "evaluate.flips: unknown key. Did you mean flip?" in done.stderr
    assert not (tmp_path / "labels").exists()


def test_split_that_is_given_is_used_and_written(run, tmp_path):
    done = run({"labels.num_folds": 3, "labels.folds": {2: ["007", "expression/P4"]}})
    folds = tables.read_table(tmp_path / "labels" / "folds.csv", tables.FOLDS)
    assert (done.returncode, done.stderr) == (0, "")
    expected = {"007": 2, "P2": 0, "P3": 0, "P4": 2, "P5": 1}
    assert dict(folds.to_numpy().tolist()) == {f"expression/{name}": fold for name, fold in expected.items()}


def test_split_of_other_people_is_one_message(run, tmp_path):
    done = run({"labels.num_folds": 2, "labels.folds": {0: ["P9"]}})
    assert done.returncode == 1
    assert done.stderr.startswith("error: labels.folds must list subjects of the expression set. Got P9 in fold 0")
    assert not (tmp_path / "labels").exists()


def test_stratified_folds_hold_every_subject(run, tmp_path):
    done = run({"labels.num_folds": 2, "labels.stratify_by_expression": True})
    folds = tables.read_table(tmp_path / "labels" / "folds.csv", tables.FOLDS)
    assert (done.returncode, done.stderr) == (0, "")
    assert folds["subject"].tolist() == [f"expression/{name}" for name in ("007", "P2", "P3", "P4", "P5")]
    assert set(folds["fold"]) == {0, 1}


def test_neutral_photos_over_the_limit_lose_their_class_and_stay(run, tmp_path):
    run({"labels.num_folds": 2, "labels.max_neutral_per_subject": 1})
    labels = tables.read_table(tmp_path / "labels" / "expression.csv", tables.EXPRESSION_LABELS)
    neutral = labels[labels["use"] == "neutral"]
    assert len(neutral) == 15
    assert sorted(neutral["expression"]) == [""] * 10 + ["neutral"] * 5


def test_duplicates_are_dropped_and_listed(run, tmp_path):
    same = {"P2/anger/2": "P2/happiness/2", "P3/happiness/0": "P3/anger/0", "P4/anger/1": "P4/anger/0"}
    _write_facts(tmp_path / "facts/expression/expression", tmp_path / "expression/expression", same)
    _write_facts(tmp_path / "facts/identity/identity", tmp_path / "identity/identity", {"a/1": "a/0"})
    done = run({"labels.num_folds": 2, "labels.drop_duplicates": True})
    folder = tmp_path / "labels"
    labels = tables.read_table(folder / "expression.csv", tables.EXPRESSION_LABELS)
    dropped = tables.read_table(folder / "dropped_expression.csv", tables.DROPPED_PHOTOS)
    identities = tables.read_table(folder / "identity.csv", tables.IDENTITY_LABELS)
    assert done.returncode == 0, done.stderr
    assert "WARNING: 3 duplicates of the expression set are dropped;" in done.stderr
    assert dropped[["photo", "kept"]].to_numpy().tolist() == [
        ["expression/P2/anger/2", ""],
        ["expression/P2/happiness/2", ""],
        ["expression/P3/happiness/0", "expression/P3/anger/0"],
    ]
    assert len(labels) == 5 * 3 * 2 - 3
    assert not set(labels["photo"]) & set(dropped["photo"])
    assert identities["photo"].tolist() == ["identity/a/0", "identity/b/0", "identity/b/1"]


def test_duplicates_that_matter_are_told_and_listed_where_they_are_kept(run, tmp_path):
    same = {"P2/anger/2": "P5/anger/2", "P3/happiness/0": "P3/anger/0"}
    _write_facts(tmp_path / "facts/expression/expression", tmp_path / "expression/expression", same)
    done = run({"labels.num_folds": 2})
    assert "WARNING: 2 photos of the expression set are duplicates of one of another fold" in done.stderr
    listed = tables.read_table(tmp_path / "labels/duplicates.csv", tables.DUPLICATES)
    assert listed["is_harmless"].tolist() == [False, False, True, True]


def test_a_set_without_facts_is_one_message(run, tmp_path):
    (tmp_path / "facts/identity/identity/facts.csv").unlink()
    done = run({"labels.num_folds": 2})
    assert done.returncode == 1
    assert "facts.csv: no such table. Run `dvc repro` to make it." in done.stderr
    assert not (tmp_path / "labels").exists()
