from pathlib import Path

import pytest

from dwmtl.errors import ParamsError
from dwmtl.yaml_text import parse_yaml

PATH = Path("some.yaml")


def test_values_are_read_as_dvc_reads_them():
    text = "rate: 1e-4\nfolds: [0, 1]\nname: null\nseed: 010\nis_set: yes\n"
    assert parse_yaml(text, PATH) == {"rate": 1e-4, "folds": [0, 1], "name": None, "seed": 10, "is_set": "yes"}


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "a: 2020-13-01", "\t- a"])
def test_what_is_not_yaml_is_refused_with_the_name_of_the_file(text):
    with pytest.raises(ParamsError, match=r"some\.yaml: not YAML"):
        parse_yaml(text, PATH)


def test_brackets_in_brackets_are_read_to_a_limit():
    assert parse_yaml("a: " + "[" * 50 + "]" * 50, PATH)
    assert parse_yaml("a: []  # " + "[" * 60, PATH) == {"a": []}
    with pytest.raises(ParamsError, match=r"some\.yaml: not YAML: brackets in brackets, more than 50 deep"):
        parse_yaml("a: " + "[" * 51 + "]" * 51, PATH)


def test_a_value_that_holds_itself_is_refused():
    with pytest.raises(ParamsError, match=r"some\.yaml: more than 1000000 values"):
        parse_yaml("a: &a [*a]", PATH)
