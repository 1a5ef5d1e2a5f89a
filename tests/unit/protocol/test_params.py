"""The section `labels`, and the folds that are run."""

import pytest

from dwmtl.errors import ParamsError
from dwmtl.params import load_params


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ({5: ["a"]}, r"folds must be numbered from 0 and < num_folds \(5\)\. Got fold 5 instead"),
        ({-1: ["a"]}, r"folds must be numbered from 0 and < num_folds \(5\)\. Got fold -1 instead"),
        ({0: ["a"], 1: ["b", "a"]}, r"folds must list a subject once\. Got a in 0 and in 1"),
    ],
)
def test_split_that_cannot_be_is_named(write_params, folds, message):
    with pytest.raises(ParamsError, match=rf"params\.yaml: labels.*: {message}"):
        load_params(write_params({"labels.folds": folds}))


def test_fold_that_is_not_cut_is_an_error_with_both_numbers(write_params):
    with pytest.raises(
        ParamsError, match=r"folds must be < labels\.num_folds \(5\), counted from 0\. Got \[0, 5\] instead"
    ):
        load_params(write_params(folds=[0, 5]))


@pytest.mark.parametrize("folds", [[0, 1], [1]])
def test_official_parts_are_one_fold(write_params, folds):
    assert load_params(write_params({"labels.protocol": "official"}, folds=[0])).labels.num_tested_folds == 1
    with pytest.raises(ParamsError, match=r"folds must be \[0\] where labels\.protocol is official: .* Got \["):
        load_params(write_params({"labels.protocol": "official"}, folds=folds))


def test_official_parts_are_the_split(write_params):
    with pytest.raises(ParamsError, match=r"labels.*: folds must be null where protocol is official"):
        load_params(write_params({"labels.protocol": "official", "labels.folds": {0: ["a"]}}, folds=[0]))


def test_fold_named_twice_is_an_error(write_params):
    with pytest.raises(ParamsError, match=r"folds must name each fold once\. Got \[1, 1\] instead"):
        load_params(write_params(folds=[1, 1]))
