"""What a wrong `params.yaml` is told: the key as it stands in the file, what is wrong with it, and the cure."""

import math

import pytest

from dwmtl.errors import ParamsError
from dwmtl.params import load_params


@pytest.mark.parametrize(
    ("key", "suggestion"),
    [("labels.num_fold", "num_folds"), ("train.optimizer.learning_rat", "learning_rate"), ("trian", "train")],
)
def test_unknown_key_is_named_and_the_nearest_one_suggested(write_params, key, suggestion):
    with pytest.raises(ParamsError, match=rf"params\.yaml: {key}: unknown key\. Did you mean {suggestion}\?"):
        load_params(write_params({key: 1}))


def test_unknown_key_like_no_other_gets_no_suggestion(write_params):
    with pytest.raises(ParamsError, match=r"labels\.zzzz: unknown key\.$"):
        load_params(write_params({"labels.zzzz": 1}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("labels.num_folds", "five"),
        ("labels.num_folds", 5.0),
        ("labels.num_folds", True),
        ("labels.has_neutral", "yes"),
        ("labels.has_neutral", 1),
        ("labels.seed", "0"),
        ("labels.folds", [["P1"]]),
        ("labels.folds", {"0": ["P1"]}),
        ("labels.folds", {0: [7]}),
        ("labels.stratify_by_expression", 1),
        ("pairs.references", "first"),
        ("sets.identity.folder", 3),
        ("pairs.required_expressions", "happiness"),
        ("compute.accelerator", "gpu"),
        ("align", None),
    ],
)
def test_wrong_type_names_the_key_and_what_was_given(write_params, key, value):
    with pytest.raises(ParamsError, match=rf"params\.yaml: {key}.*Got .* instead\."):
        load_params(write_params({key: value}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("labels.num_folds", 1),
        ("labels.seed", -1),
        ("labels.seed", 2**32),
        ("labels.folds", {0: []}),
        ("labels.max_neutral_per_subject", 0),
        ("pairs.num_blocks", 1),
        ("pairs.required_expressions", []),
        ("render.difficulty", 1.5),
        ("align.thresholds", [0.6, 0.7]),
        ("align.pyramid_factor", 1.0),
        ("network.dropout", 1.0),
        ("train.optimizer.learning_rate", 0.0),
        ("train.optimizer.learning_rate", math.nan),
        ("train.clip_grad_norm", math.inf),
        ("evaluate.far_targets", [0.0]),
        ("folds", []),
        ("folds", [-1]),
    ],
)
def test_value_out_of_range_names_the_key(write_params, key, value):
    with pytest.raises(ParamsError, match=rf"params\.yaml: {key}"):
        load_params(write_params({key: value}))


def test_missing_key_is_named(write_params):
    with pytest.raises(ParamsError, match=r"params\.yaml: sets\.expression\.adapter: the key is missing"):
        load_params(write_params({"sets.expression": {"role": "expression", "folder": "data/raw/oulu_casia"}}))


def test_every_wrong_key_is_named_at_once(write_params):
    with pytest.raises(ParamsError) as caught:
        load_params(write_params({"labels.num_folds": 0, "align.crop": 3}))
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert "align.crop: unknown key. Did you mean crop_px?" in lines[0]
    assert "labels.num_folds" in lines[1]


@pytest.mark.parametrize("key", ["train.weighting", "tasks.identity.head"])
def test_a_rule_without_a_name_is_an_error(write_params, key):
    with pytest.raises(ParamsError, match=rf"params\.yaml: {key}\.name: the key is missing\.$"):
        load_params(write_params({key: {}}))
