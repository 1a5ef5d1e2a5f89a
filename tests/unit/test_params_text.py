import pytest
from ruamel.yaml import YAML

from dwmtl.params_text import with_values

TEXT = """\
# The file.
sets:
    lfw: {role: verification, folder: 'data/lfw'}   # quoted
folds: [0, 1]

network:
    bottleneck: null  # null: as wide as the trunk
    dropout: 5e-1

# Behind the network.
train:
    start: a
"""


@pytest.mark.parametrize("text", [TEXT, TEXT.replace("    ", "  "), "folds:\n  - 0  # first\n  - 1\nname: ~x\n"])
def test_a_text_without_a_change_is_itself(text):
    assert with_values(text, {}) == text


def test_only_the_named_values_change_and_a_new_key_stands_first():
    changed = with_values(TEXT, {"network.bottleneck": 512, "network.trunk": "mbf", "train.batch_norm.trunk": "frozen"})
    expected = TEXT.replace(
        "    bottleneck: null", "    trunk: mbf\n    bottleneck: 512 "
    )  # comments keep their column
    assert changed == expected.replace("train:\n", "train:\n    batch_norm:\n        trunk: frozen\n")


def test_lists_mappings_and_null_are_written_in_a_line():
    changed = with_values(TEXT, {"a.b": [112, 96], "a.c": {"mean": [0.5, 0.5]}, "network.dropout": None})
    values = YAML(typ="safe", pure=True).load(changed)
    assert values["a"] == {"b": [112, 96], "c": {"mean": [0.5, 0.5]}}
    assert "b: [112, 96]" in changed
    assert "dropout: null" in changed
