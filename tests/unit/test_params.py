"""`params.yaml` as a file, and where a value contradicts another section's; a section by itself is beside its owner."""

from pathlib import Path

import pytest
import yaml
from ruamel.yaml import YAML

from dwmtl.errors import ParamsError
from dwmtl.params import load_params
from dwmtl.section import Section

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


@pytest.mark.parametrize("example", sorted((REPOSITORY / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_params_of_every_example_are_valid(example):
    params = load_params(example)
    assert params.folds == list(range(params.labels.num_folds))


@pytest.mark.parametrize("example", sorted((REPOSITORY / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_has_the_keys_that_dvc_compares(example):
    values = yaml.safe_load(example.read_text())
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"].values()
    keys = {key for stage in stages for key in stage.get("do", stage).get("params", []) if "$" not in key}
    assert [key for key in keys if not _has(values, key.split("."))] == []


def _has(values: dict, path: list[str]) -> bool:
    first, *rest = path
    return first in values and (not rest or _has(values[first], rest))


def test_every_section_says_what_it_is():
    assert [section.__name__ for section in _sections(Section) if not section.__dict__.get("__doc__")] == []


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


def test_margin_as_wide_as_the_crop_is_an_error(write_params):
    with pytest.raises(ParamsError, match=r"align: margin_px must be < crop_px \(96\)\. Got 96 instead"):
        load_params(write_params({"align.margin_px": 96}))


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


def test_the_tasks_must_hold_identity_and_expression(write_params):
    tasks = yaml.safe_load((REPOSITORY / "params.yaml").read_text())["tasks"]
    with pytest.raises(ParamsError, match="tasks must hold identity"):
        load_params(write_params({"tasks": {"expression": tasks["expression"]}}))


def test_identity_expression_and_a_balanced_task_are_of_classes(write_params):
    affect = {"kind": "regression", "labels": ["valence", "arousal"], "range": [-1, 1]}
    with pytest.raises(ParamsError, match=r"expression, both of kind classes\. Got \['identity'\] instead"):
        load_params(write_params({"tasks.expression": affect}))
    with pytest.raises(ParamsError, match=r"balanced_task must be one of identity, expression\. Got affect instead"):
        load_params(write_params({"tasks.affect": affect, "train.balanced_task": "affect"}))
