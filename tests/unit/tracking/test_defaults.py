from pathlib import Path

import pytest

from dwmtl.params import Params, load_params
from dwmtl.results import flatten
from dwmtl.tracking.defaults import defaults_of
from dwmtl.weighting.params import WEIGHTINGS, weighting_params

REPOSITORY = Path(__file__).resolve().parents[3]


def logged(params: Params) -> dict[str, str]:
    """Params as MLflow has them."""
    return {name: str(value) for name, value in flatten(params.model_dump(), separator=".").items()}


@pytest.fixture
def params() -> Params:
    return load_params(REPOSITORY / "params.yaml")


@pytest.mark.parametrize("rule", WEIGHTINGS)
def test_every_setting_of_an_unchanged_rule_is_at_its_default(params, rule):
    train = params.train.model_copy(update={"weighting": weighting_params(rule)})
    values = logged(params.model_copy(update={"train": train}))
    settings = {name for name in values if name.startswith("train.weighting.")} - {"train.weighting.name"}
    assert {name for name in settings if values[name] != defaults_of(values)[name]} == set()


def test_only_what_a_file_sets_otherwise_is_not_at_its_default(params):
    values = logged(params)
    other = {name for name, value in values.items() if defaults_of(values).get(name) != value}
    assert {"network.dropout", "tasks.identity.loss.center_factor", "train.weighting.name"} <= other
    assert not other & {"train.seed", "train.weighting.sigma", "tasks.identity.head.relu_on_logits", "network.trunk"}


def test_a_setting_without_a_default_and_names_have_none(params):
    values = logged(params) | {"tasks.identity.head.name": "arcface", "tasks.identity.head.margin_deg": "28.6"}
    defaults = defaults_of(values)
    assert "tasks.identity.head.margin_deg" not in defaults
    assert not [name for name in defaults if name in ("train.weighting.name", "tasks.identity.head.name")]


def test_rules_and_heads_of_another_version_have_no_defaults():
    values = {"train.weighting.name": "newest", "train.weighting.a": "1", "tasks.identity.head.name": "newest"}
    assert not [name for name in defaults_of(values) if name.startswith(("train.weighting.", "tasks.identity.head."))]
