"""The section `network`, and tasks that are not of classes."""

import pytest

from dwmtl.errors import ParamsError
from dwmtl.network.params import MeanStd
from dwmtl.params import load_params
from dwmtl.section import crop_size

AFFECT = {"kind": "regression", "labels": ["valence", "arousal"], "range": [-1, 1]}
UNITS = {"kind": "multi_label", "labels": ["AU1", "AU12"]}


def test_a_task_of_another_kind_has_columns_and_the_defaults_of_its_kind(write_params):
    tasks = load_params(write_params({"tasks.affect": AFFECT, "tasks.units": UNITS})).tasks
    assert [task.kind for task in tasks.values()] == ["classes", "classes", "regression", "multi_label"]
    assert (tasks["affect"].columns, tasks["affect"].loss.name) == (["valence", "arousal"], "ccc")
    assert (tasks["units"].columns, tasks["units"].loss.name) == (["AU1", "AU12"], "bce")
    assert tasks["expression"].columns == ["expression"]


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            {"labels": "AU1", "kind": "sets"},
            "kind: must be one of 'classes', 'multi_label', 'regression'. Got 'sets'",
        ),
        ({"labels": "AU1", "kind": None}, r"kind: must be one of .*Got 'None' instead"),
        (UNITS | {"labels": []}, r"labels: List should have at least 1 item .*Got \[\] instead"),
        (UNITS | {"labels": "AU1"}, r"labels: .* valid list\. Got 'AU1' instead"),
        ({"labels": ["AU1", "AU12"]}, r"labels: .* valid string\. Got \['AU1', 'AU12'\] instead"),
        (UNITS | {"labels": ["AU1", "AU1"]}, r"labels must name each column once\. Got \['AU1', 'AU1'\] instead"),
        (UNITS | {"range": [0, 1]}, r"range: unknown key"),
        (UNITS | {"loss": {"name": "ccc"}}, r"loss\.name: Input should be 'bce'\. Got 'ccc' instead"),
        (UNITS | {"loss": {"center_factor": 0.1}}, r"loss\.center_factor: unknown key"),
        (
            UNITS | {"head": {"name": "cosface", "margin": 0.1, "scale": 8.0}},
            "head.name: must be one of 'linear', 'hid",
        ),
        (
            UNITS | {"head": {"name": "hidden", "relu_on_logits": True}},
            "only the logits of classes may go through a ReLU",
        ),
        ({"kind": "regression", "labels": ["age"]}, r"range: the key is missing"),
        ({"kind": "regression", "range": [0, 99]}, r"labels: the key is missing"),
        (AFFECT | {"range": [1, -1]}, r"range must be \[lowest, highest\]\. Got \[1\.0, -1\.0\] instead"),
        (AFFECT | {"range": [0]}, r"range: List should have at least 2 items"),
        (AFFECT | {"loss": {"name": "bce"}}, r"loss\.name: Input should be 'ccc', 'mse' or 'mae'\. Got 'bce' instead"),
    ],
)
def test_a_wrong_key_of_a_task_of_another_kind_is_told_in_one_line(write_params, task, message):
    with pytest.raises(ParamsError, match=r"params\.yaml: tasks\.more.*" + message) as error:
        load_params(write_params({"tasks.more": task}))
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"align.crop_px": 60}, r"align\.crop_px: Input should be greater than or equal to 80\. Got 60"),
        ({"align.crop_px": [112]}, r"align\.crop_px: List should have at least 2 items"),
        ({"align.crop_px": [112, 60]}, r"align\.crop_px\.1: Input should be greater than or equal to 80"),
        ({"network.standardization": "fixd"}, r"network\.standardization: Input should be 'per_image', 'fixed' or"),
        ({"network.standardization": {"mean": [0.5]}}, r"network\.standardization\.mean: List should have at least 3"),
        ({"network.trunk": "mbf", "network.bottleneck": 8}, r"bottleneck must be null for mbf"),
        ({"network.pretrained": True}, r"pretrained must be false for facelivenet"),
        ({"network.channel_order": "gbr"}, r"network\.channel_order: Input should be 'rgb' or 'bgr'"),
    ],
)
def test_what_a_network_expects_of_a_crop_is_checked_in_one_line(write_params, changes, message):
    with pytest.raises(ParamsError, match=message) as caught:
        load_params(write_params(changes))
    assert len(str(caught.value).splitlines()) == 1


def test_a_crop_may_be_higher_than_wide_and_a_standardisation_be_of_channels(write_params):
    standardization = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    params = load_params(write_params({"align.crop_px": [112, 96], "network.standardization": standardization}))
    assert crop_size(params.align.crop_px) == (112, 96)
    assert params.network.standardization == MeanStd(**standardization)
