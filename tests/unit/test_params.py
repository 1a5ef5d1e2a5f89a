import math
from pathlib import Path

import pytest
import yaml
from ruamel.yaml import YAML

from dwmtl.errors import ParamsError
from dwmtl.network.params import MeanStd
from dwmtl.params import load_params
from dwmtl.section import Section, crop_size
from dwmtl.weighting.params import WEIGHTINGS, weighting_params

REPOSITORY = Path(__file__).resolve().parents[2]


def _with_text(tmp_path: Path, old: str, new: str) -> Path:
    """The repository's params.yaml with one line spelled differently."""
    text = (REPOSITORY / "params.yaml").read_text()
    assert old in text
    path = tmp_path / "params.yaml"
    path.write_text(text.replace(old, new, 1))
    return path


def _sections(section: type[Section]) -> list[type[Section]]:
    return [section, *(below for child in section.__subclasses__() for below in _sections(child))]


def test_params_of_the_repository_load():
    assert load_params(REPOSITORY / "params.yaml").labels.num_folds >= 2


@pytest.mark.parametrize("example", sorted((REPOSITORY / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_params_of_every_example_are_valid(example):
    params = load_params(example)
    assert params.folds == list(range(params.labels.num_folds))


@pytest.mark.parametrize("example", sorted((REPOSITORY / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_has_the_keys_that_dvc_compares(example):
    values = yaml.safe_load(example.read_text())
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"].values()
    keys = {key for stage in stages for key in stage.get("do", stage).get("params", []) if "$" not in key}
    assert [key for key in keys if not has(values, key.split("."))] == []


def has(values: dict, path: list[str]) -> bool:
    first, *rest = path
    return first in values and (not rest or has(values[first], rest))


def test_every_section_says_what_it_is():
    assert [section.__name__ for section in _sections(Section) if not section.__dict__.get("__doc__")] == []


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
        ("train.weighting.name", "equall"),
        ("compute.accelerator", "gpu"),
        ("align", None),
    ],
)
def test_wrong_type_names_the_key_and_what_was_given(write_params, key, value):
    with pytest.raises(ParamsError, match=rf"params\.yaml: {key.removesuffix('.name')}.*Got .* instead\."):
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


def test_missing_key_is_named(tmp_path):
    with pytest.raises(ParamsError, match=r"params\.yaml: sets\.expression\.adapter: the key is missing"):
        load_params(_with_text(tmp_path, "    adapter: oulu_casia\n", ""))


def test_a_key_that_is_left_out_has_its_default(tmp_path):
    assert load_params(_with_text(tmp_path, "  min_face_px: 40\n", "")).align.min_face_px == 40


def test_every_key_has_a_default_save_those_that_only_a_user_knows():
    required = {
        f"{section.__name__}.{name}"
        for section in _sections(Section)[1:]
        for name, field in section.model_fields.items()
        if field.is_required()
    }
    assert required == {
        *("Params.sets", "Params.folds", "Params.tasks"),
        *("SetParams.role", "SetParams.adapter", "SetParams.folder", "TaskParams.labels"),
        *("ArcFaceHeadParams.margin_deg", "ArcFaceHeadParams.scale"),
        *("CosFaceHeadParams.margin", "CosFaceHeadParams.scale"),
        *("GradientRuleWeightingParams.name", "JacobianRuleWeightingParams.name"),
        "ColumnTaskParams.labels",
        *("MultiLabelTaskParams.kind", "MultiLabelTaskParams.labels"),
        *("RegressionTaskParams.kind", "RegressionTaskParams.labels", "RegressionTaskParams.range"),
    }


def test_pretrain_and_train_differ_in_epochs_learning_rate_and_augmentation_alone():
    params = load_params(REPOSITORY / "params.yaml")
    train, pretrain = params.train.model_dump(), params.pretrain.model_dump()
    differing = {key for key, value in pretrain.items() if train[key] != value}
    assert differing - {"num_epochs"} == {"optimizer", "augment"}
    rate = ("learning_rate", "warmup_fraction")
    assert {key for key, value in pretrain["optimizer"].items() if train["optimizer"][key] != value} == set(rate)


def test_every_wrong_key_is_named_at_once(write_params):
    with pytest.raises(ParamsError) as caught:
        load_params(write_params({"labels.num_folds": 0, "align.crop": 3}))
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert "align.crop: unknown key. Did you mean crop_px?" in lines[0]
    assert "labels.num_folds" in lines[1]


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


@pytest.mark.parametrize("key", ["train.weighting", "tasks.identity.head"])
def test_a_rule_without_a_name_is_an_error(write_params, key):
    with pytest.raises(ParamsError, match=rf"params\.yaml: {key}\.name: the key is missing\.$"):
        load_params(write_params({key: {}}))


def test_an_unknown_weighting_is_an_error_with_the_names_that_there_are(write_params):
    with pytest.raises(ParamsError, match=r"train\.weighting\.name: must be one of 'dynamic', .*Got 'equall' instead"):
        load_params(write_params({"train.weighting.name": "equall"}))


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


def test_margin_as_wide_as_the_crop_is_an_error(write_params):
    with pytest.raises(ParamsError, match=r"align: margin_px must be < crop_px \(112\)\. Got 112 instead"):
        load_params(write_params({"align.margin_px": 112}))


def test_missing_file_is_an_error_with_the_cure(tmp_path):
    with pytest.raises(ParamsError, match=r"nowhere\.yaml: no such file\. Run from the repository's root"):
        load_params(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("text", ["a: [", "\tb: 1", "a: !!python/object:os.system {}"])
def test_file_that_is_no_yaml_is_an_error(tmp_path, text):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ParamsError, match=r"params\.yaml: not YAML"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("text", ["", "- 1\n", "42\n"])
def test_file_that_holds_no_sections_is_an_error(tmp_path, text):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ParamsError, match=r"params\.yaml: "):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("spelling", ["1e-4", "1E-4", "1.0e-4", "0.0001", ".0001", "+1e-4", "10e-5"])
def test_number_means_what_it_means_to_dvc(tmp_path, spelling):
    path = _with_text(tmp_path, "learning_rate: 5e-4", f"learning_rate: {spelling}")
    to_dvc = YAML(typ="safe").load(path.read_text())["train"]["optimizer"]["learning_rate"]
    assert load_params(path).train.optimizer.learning_rate == to_dvc == 1e-4


@pytest.mark.parametrize("spelling", ["yes", "no", "on", "off", "y"])
def test_only_true_and_false_are_booleans_as_to_dvc(tmp_path, spelling):
    path = _with_text(tmp_path, "has_neutral: true", f"has_neutral: {spelling}")
    assert YAML(typ="safe").load(path.read_text())["labels"]["has_neutral"] == spelling
    with pytest.raises(ParamsError, match=r"labels\.has_neutral: .*Got .* instead"):
        load_params(path)


def test_params_cannot_change():
    params = load_params(REPOSITORY / "params.yaml")
    with pytest.raises(ValueError, match="frozen"):
        params.labels.num_folds = 3


def test_repository_reads_the_same_with_dvcs_parser():
    text = (REPOSITORY / "params.yaml").read_text()
    to_dvc = YAML(typ="safe").load(text)
    values = load_params(REPOSITORY / "params.yaml").model_dump()
    assert _differences(to_dvc, values) == []
    assert yaml.safe_load(text).keys() == to_dvc.keys()


def _differences(some: object, whole: object, key: str = "") -> list[str]:
    """Dotted keys of `some` whose value in `whole` is another."""
    if isinstance(some, dict) and isinstance(whole, dict):
        return [line for name in some for line in _differences(some[name], whole.get(name), f"{key}.{name}")]
    return [] if some == whole else [key]


@pytest.mark.parametrize("folder", ["data/raw/rendered/lfw", "data/raw", "./data/raw/rendered/../rendered/lfw/Abc"])
def test_a_set_within_another_is_refused(write_params, folder):
    with pytest.raises(ParamsError, match=r"the same or one lies in the other .*Choose folders of different people\.$"):
        load_params(write_params({"sets.identity.folder": folder}))


def test_far_targets_that_read_alike_are_refused(write_params):
    with pytest.raises(ParamsError, match=r"evaluate: far_targets must differ"):
        load_params(write_params({"evaluate.far_targets": [0.01, 0.01]}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"train.weighting": {"name": "fixed", "weights": {"identity": 1.0}}},
            "train.weighting.weights must name every task",
        ),
        ({"train.weighting": {"name": "fixed", "weights": {"identity": 0.0}}}, "a weight must be > 0"),
        ({"train.weighting.floors": {"hat": 1.0}}, "train.weighting.floors must name every task"),
        ({"train.weighting": {"name": "single_task", "task": "hat"}}, "task must be one of identity, expression"),
        ({"train.batch_norm.branches": {"hat": "frozen"}}, r"batch_norm\.branches must name tasks .*Got \['hat'\]"),
        ({"train.learning_rate_factors": {"head": 2.0}}, r"learning_rate_factors must name parts .*Got \['head'\]"),
        ({"train.learning_rate_factors": {"heads.hat": 2.0}}, r"branches\.identity, heads, heads\.expression, .*Got"),
        ({"train.learning_rate_factors": {"trunk": 0.0}}, r"train\.learning_rate_factors\.trunk"),
        ({"train.freeze": {"identity": 1}}, r"train\.freeze must name parts"),
        ({"train.freeze": {"trunk": 1, "branches": 2, "heads": None}}, "must leave a part to train in the first epoch"),
        ({"train.balanced_task": "hat"}, r"balanced_task must be one of identity, expression\. Got hat"),
        ({"tasks.expression.head": {"name": "linear", "sharded": True}}, "expression.head.sharded must be false"),
        (
            {"sets.identity.is_aligned": True, "sets.identity.enlarge_to_px": 160},
            "enlarge_to_px must be null where is_aligned is true",
        ),
        ({"train.start": "fold_0"}, "start must not be a fold's model"),
        ({"train.start": "../elsewhere"}, r"train\.start"),
        ({"train.sets": ["identity"]}, "sets must hold expression"),
        ({"network.trunk": "resnet18"}, r"network\.trunk"),
        ({"evaluate.weights": "ema"}, r"evaluate\.weights is ema, but train\.ema_decay is null"),
        ({"tasks.expression.head": {"name": "mlp"}}, r"tasks\.expression\.head"),
    ],
)
def test_a_value_that_contradicts_another_is_told(write_params, changes, message):
    with pytest.raises(ParamsError, match=message):
        load_params(write_params(changes))


def test_the_tasks_must_hold_identity_and_expression(write_params):
    tasks = yaml.safe_load((REPOSITORY / "params.yaml").read_text())["tasks"]
    with pytest.raises(ParamsError, match="tasks must hold identity"):
        load_params(write_params({"tasks": {"expression": tasks["expression"]}}))


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


def test_identity_expression_and_a_balanced_task_are_of_classes(write_params):
    with pytest.raises(ParamsError, match=r"expression, both of kind classes\. Got \['identity'\] instead"):
        load_params(write_params({"tasks.expression": AFFECT}))
    with pytest.raises(ParamsError, match=r"balanced_task must be one of identity, expression\. Got affect instead"):
        load_params(write_params({"tasks.affect": AFFECT, "train.balanced_task": "affect"}))


@pytest.mark.parametrize("head", [{"name": "arcface", "margin_deg": 20.0, "scale": 30.0}, {"name": "adaface"}])
def test_smoothing_under_a_margin_is_refused(write_params, head):
    loss = {"label_smoothing": 0.1, "center_factor": 0.0, "center_alpha": 0.5}
    with pytest.raises(ParamsError, match="label_smoothing must be 0 under a margin"):
        load_params(write_params({"tasks.identity.head": head, "tasks.identity.loss": loss}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("linear", "Got 'linear' in line 1"),
        ("0: 0.1\nfive: 0.01", "Got 'five: 0.01' in line 2"),
        ("0: 0.1\n0: 0.2", "Got epoch 0 again in line 2"),
        ("1: 0.1", "must have a rate for epoch 0"),
        ("0: -1", "Got '0: -1' in line 1"),
        ("", "must have a rate for epoch 0"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_told(write_params, text, message):
    with pytest.raises(ParamsError, match=message):
        load_params(write_params({"train.optimizer.schedule": text}))


def test_a_margin_in_the_photo_may_be_wider_than_the_crop(write_params):
    params = load_params(write_params({"align.margin_px": 112, "align.crop_form": "margin_in_photo"}))
    assert params.align.margin_px == 112


@pytest.mark.parametrize("stage", ["pretrain", "train"])
def test_a_batch_that_the_processes_cannot_share_is_an_error(write_params, stage):
    changes = {"pretrain.batch_size": 16, "train.batch_size": 16, f"{stage}.batch_size": 15}
    with pytest.raises(ParamsError, match=rf"{stage}\.batch_size must be a multiple of the processes \(4"):
        load_params(write_params({**changes, "compute.num_devices": 2, "compute.num_nodes": 2}))


def test_a_pair_file_lies_in_the_folder_of_an_expression_set(write_params, tmp_path):
    sets = {"sets.expression.folder": tmp_path / "oulu", "sets.identity.folder": tmp_path / "people"}
    params = load_params(write_params({**sets, "pairs.file": tmp_path / "oulu/pairs.txt"}))
    assert params.pairs_file_of("expression") == tmp_path / "oulu/pairs.txt"
    assert params.pairs_file_of("identity") is None
    for file in ("pairs.txt", "people/pairs.txt", "oulu/../pairs.txt"):
        with pytest.raises(ParamsError, match=r"pairs\.file must lie in the folder of a set of the role expression"):
            load_params(write_params({**sets, "pairs.file": f"{tmp_path}/{file}"}))


def test_paths_are_moved_only_where_an_authors_file_has_some(write_params, tmp_path):
    remap = {"sets.expression.folder": tmp_path / "oulu", "sets.expression.remap": {"/their": ""}}
    assert load_params(write_params({**remap, "pairs.file": tmp_path / "oulu/pairs.txt"}))
    assert load_params(write_params({**remap, "sets.expression.adapter": "authors_labels"}))
    with pytest.raises(ParamsError, match=r"sets\.expression\.remap moves the paths of an authors' label file"):
        load_params(write_params(remap))


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


LFW_PACK = {"role": "verification", "adapter": "bin_pack", "folder": "data/raw/pack"}


def test_one_of_several_verification_sets_is_the_main_one(write_params):
    assert load_params(write_params()).main_verification_set == "verification"
    sets = {"sets.cfp_fp": LFW_PACK, "evaluate.main_set": "verification"}
    assert load_params(write_params(sets)).main_verification_set == "verification"
    for main in (None, "identity", "cfp"):
        with pytest.raises(
            ParamsError, match=r"evaluate\.main_set must be one of cfp_fp, verification.*Got \w+ instead"
        ):
            load_params(write_params({"sets.cfp_fp": LFW_PACK, "evaluate.main_set": main}))


@pytest.mark.parametrize(
    ("fars", "message"),
    [
        ([], r"report\.tar_at_fars: List should have at least 1 item"),
        ([1e-7], r"report\.tar_at_fars\.0: Input should be greater than or equal to"),
        ([0.01, 0.01], "tar_at_fars must differ"),
    ],
)
def test_rates_of_the_report_are_checked(write_params, fars, message):
    with pytest.raises(ParamsError, match=message):
        load_params(write_params({"report.tar_at_fars": fars}))
