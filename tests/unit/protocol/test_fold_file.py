import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from dwmtl import tables
from dwmtl.errors import ProtocolError
from dwmtl.protocol.fold_file import params_of_folds, parse_folds
from dwmtl.protocol.folds import assign_folds
from dwmtl.protocol.params import LabelsParams

NAMES = st.one_of(
    st.sampled_from(["007", "1e3", "no", "null", "~", "a,b", 'a"b', "a: b", "#a", "- a", "\\n", "é", "😀"]),
    st.text(min_size=1, max_size=5).filter(str.isprintable).map(tables.composed),
)
FOLDS = st.dictionaries(NAMES, st.integers(0, 9), min_size=1, max_size=12)


def _labels_params(text: str) -> LabelsParams:
    section = YAML(typ="safe", pure=True).load(text)["labels"]
    others = {"seed": None, "stratify_by_expression": False, "has_neutral": True}
    return LabelsParams.model_validate(section | others | {"max_neutral_per_subject": None, "drop_duplicates": False})


def test_fold_holds_its_subjects_sorted():
    assert parse_folds("subject,fold\nb,1\nc,0\na,1\n", name="f.csv") == {0: ["c"], 1: ["a", "b"]}


def test_spreadsheets_form_with_blank_lines_is_read():
    text = '\ufeffsubject,fold\r\n"a, b",0 \r\n\r\n007,1\t\r\n'
    assert parse_folds(text, name="f.csv") == {0: ["a, b"], 1: ["007"]}


@settings(deadline=None)
@given(FOLDS)
def test_table_that_was_written_is_read_as_the_same_folds(tmp_path_factory, fold_of):
    path = tmp_path_factory.mktemp("folds") / "folds.csv"
    tables.write_table(pd.DataFrame(sorted(fold_of.items()), columns=list(tables.FOLDS)), path)
    folds = parse_folds(path.read_text(encoding="utf-8"), name="folds.csv")
    assert {subject: fold for fold, subjects in folds.items() for subject in subjects} == fold_of


@settings(deadline=None)
@given(FOLDS)
def test_params_hold_the_folds_that_were_printed(fold_of):
    folds: dict[int, list[str]] = {}
    for subject, fold in sorted(fold_of.items()):
        folds.setdefault(fold, []).append(subject)
    assert _labels_params(params_of_folds(folds, num_folds=10)).folds == folds


def test_split_of_a_run_is_the_split_of_the_run_that_is_given_it(tmp_path):
    theirs = assign_folds([f"P{number:03d}" for number in range(23)], num_folds=5, seed=3)
    tables.write_table(theirs, tmp_path / "folds.csv")
    text = params_of_folds(parse_folds((tmp_path / "folds.csv").read_text(), name="folds.csv"))
    params = _labels_params(text)
    ours = assign_folds(theirs["subject"], num_folds=params.num_folds, seed=None, given=params.folds)
    pd.testing.assert_frame_equal(ours, theirs)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x,0", r"subject x is not in the expression set"),
        ("a,0", r"subject a is already in fold 1"),
        ("b,", r"fold must be a whole number from 0\. Got ''"),
        ("b,one", "fold must be a whole number from 0. Got 'one'"),
        ("b,1.0", "fold must be a whole number"),
        ("b,-1", "fold must be a whole number"),
        ("b,²", "fold must be a whole number"),
        ("b,99999999999", "fold must be a whole number"),
        ("b,5", r"fold must be < labels\.num_folds \(5\)\. Got 5"),
        (",0", "subject must be a printable name. Got ''"),
        ("b\x00,0", "subject must be a printable name"),
        ("b", "must be a subject and a fold. Got 1 cells"),
        ("b,0,0", "must be a subject and a fold. Got 3 cells"),
        ('"b"x,0', "not a line of a CSV table"),
        ('"b,0', "not a line of a CSV table"),
    ],
)
def test_wrong_line_is_named(line, message):
    with pytest.raises(ProtocolError, match=rf"f\.csv, line 4: .*{message}"):
        parse_folds(f"subject,fold\na,1\n\n{line}\n", name="f.csv", subjects={"a", "b"}, num_folds=5)


@pytest.mark.parametrize("text", ["", "a,0\n", "fold,subject\n0,a\n", "\n"])
def test_file_without_the_header_is_told(text):
    with pytest.raises(ProtocolError, match=r"f\.csv, line 1: must be `subject,fold`"):
        parse_folds(text, name="f.csv")


def test_file_without_a_subject_is_told():
    with pytest.raises(ProtocolError, match=r"f\.csv: names no subject"):
        parse_folds("subject,fold\n", name="f.csv")


@given(st.text(max_size=60), st.booleans())
def test_any_text_is_read_or_refused(text, has_header):
    try:
        folds = parse_folds("subject,fold\n" * has_header + text, name="f.csv")
    except ProtocolError:
        return
    assert all(folds.values())
