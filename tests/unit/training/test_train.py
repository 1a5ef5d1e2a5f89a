import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from dwmtl.errors import ProtocolError
from dwmtl.network.model_card import DetectorCard
from dwmtl.network.model_file import has_best, load_card, load_model, model_sha256
from dwmtl.network.params import MultiLabelTaskParams, RegressionTaskParams
from dwmtl.params import Params, load_params
from dwmtl.tables import CROPS, EXPRESSION_LABELS, write_table
from dwmtl.training.compute import Execution, make_fabric
from dwmtl.training.fold_data import FoldData
from dwmtl.training.pretrain import pretrain
from dwmtl.training.train import train_fold
from dwmtl.training.trained import write_trained
from dwmtl.weighting.params import weighting_params

SUBJECTS = ["expression/A", "expression/B", "expression/C", "expression/D"]
EXPRESSIONS = ["anger", "happiness"]


def execution(fabric=None) -> Execution:
    return Execution(fabric or make_fabric("cpu"), load_params().compute)


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    """Two crops a subject; the last subject's second photo shows no face."""
    aligned, noise = tmp_path_factory.mktemp("aligned"), np.random.default_rng(0)
    folder = aligned / "expression" / "expression"
    photos = [f"{subject.split('/')[1]}/{number}.jpg" for subject in SUBJECTS for number in range(2)]
    crops = pd.DataFrame({"photo": photos, "status": ["aligned"] * 7 + ["fallback"]}).reindex(columns=list(CROPS))
    crops["crop"] = crops["photo"] + ".png"
    for crop in crops["crop"]:
        (folder / crop).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (80, 80, 3), dtype=np.uint8)).save(folder / crop)
    write_table(crops, folder / "crops.csv", CROPS)
    shutil.copytree(folder, aligned / "identity" / "expression")
    return aligned


def labels() -> pd.DataFrame:
    rows = [
        {"photo": f"{s}/{n}.jpg", "subject": s, "expression": EXPRESSIONS[n], "fold": i // 2, "use": "peak"}
        for i, s in enumerate(SUBJECTS)
        for n in range(2)
    ]
    return pd.DataFrame(rows).reindex(columns=list(EXPRESSION_LABELS))


@pytest.fixture
def params() -> Params:
    params = load_params()
    small = {"num_epochs": 1, "batch_size": 2}
    return params.model_copy(
        update={
            "align": params.align.model_copy(update={"crop_px": 80}),
            "pretrain": params.pretrain.model_copy(update=small),
            "train": params.train.model_copy(update=small | {"validation_fraction": 0.0}),
        }
    )


OTHERS = ["identity/A", "identity/B", "identity/C", "identity/D"]


def identity_labels() -> pd.DataFrame:
    """The same crops as those of other people."""
    subjects = labels()["subject"].str.replace("expression/", "identity/")
    return labels()[["photo"]].assign(subject=subjects, identity=subjects.map(OTHERS.index))


@pytest.fixture(scope="module")
def start(aligned, tmp_path_factory):
    """The untrained model that pretraining of no epoch leaves."""
    folder = tmp_path_factory.mktemp("start")
    params = load_params()
    untrained = params.model_copy(
        update={
            "align": params.align.model_copy(update={"crop_px": 80}),
            "pretrain": params.pretrain.model_copy(update={"num_epochs": 0}),
        }
    )
    trained = pretrain(identity_labels(), aligned / "identity", untrained, execution=execution())
    write_trained(trained, model_dir=folder / "model", metrics_dir=folder / "metrics")
    return folder / "model"


@pytest.fixture
def train(aligned, start, params):
    def run(fold=0, table=None, start_dir=start, fabric=None, **changes):
        data = FoldData(fold, labels() if table is None else table, EXPRESSIONS, identity_labels(), aligned)
        values = params.model_copy(
            update={**changes.pop("whole", {}), "train": params.train.model_copy(update=changes)}
        )
        return train_fold(data, values, start_dir=start_dir, execution=execution(fabric))

    return run


@pytest.mark.parametrize(("fold", "trained_on"), [(0, SUBJECTS[2:]), (1, SUBJECTS[:2])])
def test_no_subject_of_the_fold_is_trained_on(fold, trained_on, train):
    trained = train(fold)
    assert trained.card.classes("identity") == trained_on
    align = load_params().align
    assert trained.card.detector.model_dump() == align.model_dump(include=set(DetectorCard.model_fields))
    assert trained.network.heads["identity"].out_features == 2


def test_validation_subjects_are_neither_trained_on_nor_tested(tmp_path, train):
    table = labels()
    table["fold"] = [0, 0, 1, 1, 2, 2, 2, 2]
    trained = train(0, table, validation_fraction=0.3)
    assert trained.card.classes("identity") == SUBJECTS[2:]
    assert trained.card.provenance["validated_on"] == [SUBJECTS[1]]
    assert trained.card.people_seen() == [*SUBJECTS[1:], *OTHERS]
    assert trained.fitted.best_epoch == 0
    write_trained(trained, model_dir=tmp_path / "model", metrics_dir=tmp_path / "metrics")
    assert has_best(load_card(tmp_path / "model"))
    loaded, _ = load_model(tmp_path / "model", weights="best")
    torch.testing.assert_close(loaded.state_dict(), trained.fitted.best.state_dict(), rtol=0, atol=0)


def test_a_class_that_the_fold_is_not_trained_on_is_told(train, caplog):
    """Shown by its test subjects alone; or by a training photo without a face, which trains nothing."""
    assert train(0).facts["unseen_classes"] == {}
    table = labels()
    table.loc[~table["subject"].isin(SUBJECTS[:2]), "expression"] = "anger"
    assert train(0, table).facts["unseen_classes"] == {"expression": ["happiness"]}
    assert "fold 0 is trained on no photo of happiness (task expression)" in caplog.text
    table.loc[table["photo"] == f"{SUBJECTS[3]}/1.jpg", "expression"] = "happiness"
    assert train(0, table).facts["unseen_classes"] == {"expression": ["happiness"]}


def test_validation_that_leaves_one_subject_to_train_on_is_told(train):
    with pytest.raises(ProtocolError, match=r"1 training subjects .* train\.validation_fraction"):
        train(0, validation_fraction=0.1)


def test_a_photo_without_a_face_is_not_trained_on(train):
    assert train(0).facts["num_photos"] == 3
    assert train(1).facts["num_photos"] == 4


def test_a_photo_whose_expression_is_no_class_trains_identity_alone(train):
    table = labels().assign(expression="")
    trajectory = train(1, table).fitted.trajectory
    assert (trajectory["weight_expression"] == 0).all()
    one_rounding = 2.0**-23  # the softmax's own sum may be the number next to 1 in float32
    assert trajectory["weight_identity"].to_numpy() == pytest.approx(1, rel=0, abs=one_rounding)


def test_a_fold_that_leaves_one_subject_to_train_on_is_told(train):
    table = labels()
    table["fold"] = (table["subject"] == SUBJECTS[0]).astype(int)
    with pytest.raises(ProtocolError, match="1 training subjects with a face found"):
        train(0, table)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_the_same_seed_trains_the_same_file(tmp_path, train, precision):
    hashes = set()
    for name in ("first", "second"):
        trained = train(1, fabric=make_fabric("cpu", precision=precision))
        assert trained.facts["precision"] == precision
        write_trained(trained, model_dir=tmp_path / name, metrics_dir=tmp_path / f"{name}_metrics")
        hashes.add(model_sha256(tmp_path / name))
    assert len(hashes) == 1
    assert (tmp_path / "first_metrics/trajectory.csv").read_bytes() == (
        tmp_path / "second_metrics/trajectory.csv"
    ).read_bytes()


def test_pretraining_knows_identities_alone_and_a_fold_starts_from_it(aligned, params, tmp_path, train):
    pretrained = pretrain(identity_labels(), aligned / "identity", params, execution=execution())
    assert pretrained.network.tasks == ("identity",)
    facts = {name: value for name, value in pretrained.facts.items() if name != "precision_reason"}  # of the machine
    assert facts == {"num_photos": 7, "num_subjects": 4, "precision": "32-true"}
    write_trained(pretrained, model_dir=tmp_path / "model", metrics_dir=tmp_path / "metrics")
    trained = train(0, start_dir=tmp_path / "model")
    assert trained.facts["filled_from_start"]["branches.expression"] == "branches.identity"
    assert trained.card.provenance["start"]["weights_sha256"] == model_sha256(tmp_path / "model")


def test_a_start_that_was_trained_on_the_folds_subjects_is_refused(train, tmp_path):
    write_trained(train(0), model_dir=tmp_path / "model", metrics_dir=tmp_path / "metrics")
    with pytest.raises(ProtocolError, match="was trained on test subjects of this fold: expression/C, expression/D"):
        train(1, start_dir=tmp_path / "model")
    train(0, start_dir=tmp_path / "model")


def test_a_start_that_once_started_from_the_folds_subjects_is_refused(train, start, tmp_path):
    card = load_card(start)
    shutil.copytree(start, tmp_path / "start")
    provenance = {**card.provenance, "trained_on": [SUBJECTS[0]]}
    (tmp_path / "start/model.json").write_text(card.model_copy(update={"provenance": provenance}).model_dump_json())
    with pytest.raises(ProtocolError, match="was trained on test subjects of this fold: expression/A"):
        train(0, start_dir=tmp_path / "start")
    assert train(1, start_dir=tmp_path / "start").card.provenance["trained_on"][0] == SUBJECTS[0]


def test_the_identity_set_trains_along_with_labels_of_its_own(train):
    trained = train(0, sets=["expression", "identity"], num_epochs=2)
    assert trained.card.classes("identity") == sorted([*SUBJECTS[2:], *OTHERS])
    assert trained.facts["num_photos"] == 3 + 7


def test_an_identity_only_set_and_an_expression_only_set_train_in_mixed_batches(train):
    trained = train(
        1,
        labels().assign(subject=["expression/A", "", "", "", *np.repeat(SUBJECTS[2:], 2)]),
        sets=["expression", "identity"],
        batch_size=4,
    )
    assert trained.card.classes("identity") == ["expression/A", *OTHERS]
    assert (trained.fitted.trajectory["loss_identity"] > 0).all()
    assert (trained.fitted.trajectory["loss_expression"] > 0).any()


def test_a_third_task_needs_params_alone(train, params):
    expression = params.tasks["expression"]
    tasks = {**params.tasks, "glasses": expression.model_copy(update={"labels": "glasses"})}
    table = labels().assign(glasses=["on", "off", "", "", "on", "", "off", ""])
    branches = dict.fromkeys(tasks, "training")
    batch_norm = params.train.batch_norm.model_copy(update={"branches": branches})
    trained = train(0, table, whole={"tasks": tasks}, batch_norm=batch_norm, num_epochs=3)
    assert trained.network.tasks == ("identity", "expression", "glasses")
    assert trained.card.classes("glasses") == ["off", "on"]
    assert {"loss_glasses", "weight_glasses"} <= set(trained.fitted.trajectory)
    weights = trained.fitted.trajectory[["weight_identity", "weight_expression", "weight_glasses"]].sum(axis=1)
    assert weights.to_numpy() == pytest.approx(np.ones(len(weights)), abs=1e-5)


UNITS = MultiLabelTaskParams(kind="multi_label", labels=["AU1", "AU12"])
AFFECT = RegressionTaskParams(kind="regression", labels=["valence", "arousal"], range=[-1.0, 1.0])


def with_units_and_affect() -> pd.DataFrame:
    """Of the three photos that fold 0 is trained on, two have each label of AU1 and of affect."""
    return labels().assign(
        AU1=["1", "0", "", "", "1", "0", "", ""],
        AU12=["", "", "1", "0", "", "1", "0", ""],
        valence=["0.1", "0.2", "-0.3", "0.4", "0.5", "-1", "", ""],
        arousal=["", "", "0.3", "0.4", "0.5", "1", "", ""],
    )


@pytest.mark.parametrize("weighting", ["dynamic", "uncertainty", "gradnorm", "upgrad"])
def test_tasks_of_every_kind_train_beside_each_other(train, params, weighting, tmp_path):
    tasks = {**params.tasks, "units": UNITS, "affect": AFFECT}
    changes = {"weighting": weighting_params(weighting), "batch_size": 3}
    trained = train(0, with_units_and_affect(), whole={"tasks": tasks}, **changes)
    losses = trained.fitted.trajectory[["loss_units", "loss_affect"]]
    assert np.isfinite(trained.fitted.trajectory[["weight_units", "weight_affect"]]).all(axis=None)
    assert (losses.max() > 0).all()
    write_trained(trained, model_dir=tmp_path / "model", metrics_dir=tmp_path / "metrics")
    card = load_model(tmp_path / "model")[1]
    assert card.tasks["affect"].model_dump(exclude={"head"}) == {
        **{"classes": ["valence", "arousal"], "kind": "regression", "range": [-1, 1]}
    }
    assert set(card.model_dump()["tasks"]["expression"]) == {"head", "classes"}  # as before there were kinds


def test_a_column_that_the_fold_is_not_trained_on_is_told(train, params, caplog):
    table = with_units_and_affect().assign(AU1=["1", "0", "", "", "0", "0", "", ""])
    trained = train(0, table, whole={"tasks": {**params.tasks, "units": UNITS}})
    assert trained.facts["unseen_classes"] == {"units": ["AU1"]}
    assert "fold 0 is trained on no photo of AU1 (task units)" in caplog.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"AU1": "2"}, r"A/0\.jpg: the column AU1 holds '2'; must be 0, 1 or empty"),
        ({"AU1": ""}, "task units: no photo of the expression set has a label in the column AU1"),
        ({"AU1": None}, r"tasks\.units\.labels is AU1, and the expression set has no such column"),
    ],
)
def test_columns_that_cannot_be_trained_on_are_told(train, params, changes, message):
    table = with_units_and_affect().assign(**changes)
    table = table[[column for column in table if changes.get(column, "") is not None]]
    with pytest.raises(ProtocolError, match=message):
        train(0, table, whole={"tasks": {**params.tasks, "units": UNITS}})


def test_a_task_whose_column_is_not_there_is_told(train, params):
    tasks = {**params.tasks, "hat": params.tasks["expression"].model_copy(update={"labels": "hat"})}
    with pytest.raises(ProtocolError, match=r"tasks\.hat\.labels is hat, and the expression set has no such column"):
        train(0, whole={"tasks": tasks})


def test_a_task_of_one_class_is_told(train, params):
    tasks = {**params.tasks, "hat": params.tasks["expression"].model_copy(update={"labels": "hat"})}
    with pytest.raises(ProtocolError, match="task hat: 1 classes in the column hat"):
        train(0, labels().assign(hat="on"), whole={"tasks": tasks})


def test_pretraining_on_one_person_is_told(aligned, params):
    table = labels()[["photo", "subject"]].assign(identity=0).head(2)
    with pytest.raises(ProtocolError, match="pretraining needs at least 2"):
        pretrain(table, aligned / "identity", params, execution=execution())
