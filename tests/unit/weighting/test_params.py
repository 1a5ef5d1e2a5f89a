"""The section `train.weighting`."""

import pytest

from dwmtl.errors import ParamsError
from dwmtl.params import load_params
from dwmtl.weighting.params import WEIGHTINGS, weighting_params


def test_wrong_key_in_a_weighting_is_named_as_it_stands_in_the_file(write_params):
    with pytest.raises(ParamsError, match=r": train\.weighting\.sigma: "):
        load_params(write_params({"train.weighting.sigma": 0.0}))


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_every_weighting_is_chosen_by_its_name_alone(write_params, name):
    assert load_params(write_params({"train.weighting.name": name})).train.weighting == weighting_params(name)


def test_a_setting_of_another_weighting_is_an_error_with_the_cure(write_params):
    message = (
        r"train\.weighting\.temperature: a setting of dynamic, dwa, not of this weighting\. Delete the line, or choose "
        r"that weighting\.$"
    )
    with pytest.raises(ParamsError, match=message):
        load_params(write_params({"train.weighting": {"name": "uncertainty", "temperature": 2.0}}))


def test_an_unknown_weighting_is_an_error_with_the_names_that_there_are(write_params):
    with pytest.raises(ParamsError, match=r"train\.weighting\.name: must be one of 'dynamic', .*Got 'equall' instead"):
        load_params(write_params({"train.weighting.name": "equall"}))
