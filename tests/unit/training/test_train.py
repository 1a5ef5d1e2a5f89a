import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dwmtl.errors import ProtocolError
from dwmtl.network.model_file import model_sha256
from dwmtl.params import Params, load_params
from dwmtl.tables import CROPS, EXPRESSION_LABELS, write_table
from dwmtl.training.pretrain import pretrain
from dwmtl.training.train import train_fold
from dwmtl.training.trained import write_trained

SUBJECTS = ["A", "B", "C", "D"]
EXPRESSIONS = ["anger", "happiness"]


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    """Two crops a subject; the last subject's second photo shows no face."""
    folder, noise = tmp_path_factory.mktemp("aligned"), np.random.default_rng(0)
    photos = [f"{subject}/{number}.jpg" for subject in SUBJECTS for number in range(2)]
    crops = pd.DataFrame({"photo": photos, "status": ["aligned"] * 7 + ["fallback"]}).reindex(columns=list(CROPS))
    crops["crop"] = crops["photo"] + ".png"
    for crop in crops["crop"]:
        (folder / crop).parent.mkdir(exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (80, 80, 3), dtype=np.uint8)).save(folder / crop)
    write_table(crops, folder / "crops.csv", CROPS)
    return folder


def labels() -> pd.DataFrame:
    rows = [
        {"photo": f"{s}/{n}.jpg", "subject": s, "expression": EXPRESSIONS[n], "fold": i // 2, "role": "peak"}
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
            "train": params.train.model_copy(update={**small, "start": "scratch"}),
        }
    )


def train(aligned, params, fold=0, table=None):
    table = labels() if table is None else table
    return train_fold(table, EXPRESSIONS, aligned, aligned, params, fold=fold, on_step=lambda row: None)


@pytest.mark.parametrize(("fold", "trained_on"), [(0, ["C", "D"]), (1, ["A", "B"])])
def test_no_subject_of_the_fold_is_trained_on(aligned, params, fold, trained_on):
    trained = train(aligned, params, fold)
    assert trained.card.classes["identity"] == trained_on
    assert trained.network.heads["identity"].out_features == 2


def test_a_photo_without_a_face_is_not_trained_on(aligned, params):
    assert train(aligned, params, 0).facts["num_photos"] == 3
    assert train(aligned, params, 1).facts["num_photos"] == 4


def test_a_photo_whose_expression_is_no_class_trains_identity_alone(aligned, params):
    table = labels().assign(expression="")
    trajectory = train(aligned, params, 1, table).trajectory
    assert (trajectory["weight_expression"] == 0).all()
    assert (trajectory["weight_identity"] == 1).all()


def test_a_fold_that_leaves_one_subject_to_train_on_is_told(aligned, params):
    table = labels()
    table["fold"] = (table["subject"] == "A").astype(int)
    with pytest.raises(ProtocolError, match="1 training subjects with a face found"):
        train(aligned, params, 0, table)


def test_the_same_seed_trains_the_same_file(aligned, params, tmp_path):
    hashes = set()
    for name in ("first", "second"):
        write_trained(train(aligned, params, 1), model_dir=tmp_path / name, metrics_dir=tmp_path / f"{name}_metrics")
        hashes.add(model_sha256(tmp_path / name))
    assert len(hashes) == 1
    assert (tmp_path / "first_metrics/trajectory.csv").read_bytes() == (
        tmp_path / "second_metrics/trajectory.csv"
    ).read_bytes()


def test_pretraining_knows_identities_alone_and_a_fold_starts_from_it(aligned, params, tmp_path):
    table = labels()[["photo", "subject"]].assign(identity=lambda rows: rows["subject"].map(SUBJECTS.index))
    pretrained = pretrain(table, aligned, params, on_step=lambda row: None)
    assert pretrained.network.tasks == ("identity",)
    assert pretrained.facts == {"num_photos": 7, "num_subjects": 4}
    write_trained(pretrained, model_dir=tmp_path / "model", metrics_dir=tmp_path / "metrics")
    started = params.model_copy(update={"train": params.train.model_copy(update={"start": "pretrain"})})
    trained = train_fold(labels(), EXPRESSIONS, aligned, tmp_path / "model", started, fold=0, on_step=lambda row: None)
    assert trained.facts["filled_from_start"]["branches.expression"] == "branches.identity"


def test_pretraining_on_one_person_is_told(aligned, params):
    table = labels()[["photo", "subject"]].assign(identity=0).head(2)
    with pytest.raises(ProtocolError, match="pretraining needs at least 2"):
        pretrain(table, aligned, params, on_step=lambda row: None)
