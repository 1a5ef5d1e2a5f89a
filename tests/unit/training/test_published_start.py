"""Trainings that start from another project's network, on crops that are higher than wide."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from dwmtl.errors import ModelFileError, ParamsError
from dwmtl.network.imported import new_card
from dwmtl.network.model_card import TaskCard, build_network
from dwmtl.network.model_file import save_model
from dwmtl.network.params import LinearHeadParams
from dwmtl.network.published import project_of
from dwmtl.params import Params, load_params
from dwmtl.tables import CROPS, EXPRESSION_LABELS, write_table
from dwmtl.training.compute import Execution, make_fabric
from dwmtl.training.fold_data import FoldData
from dwmtl.training.pretrain import pretrain
from dwmtl.training.train import train_fold

SUBJECTS = ["expression/A", "expression/B", "expression/C"]
EXPRESSIONS = ["anger", "happiness"]
IDENTITIES = pd.DataFrame(
    [(f"identity/{s}/{n}.jpg", f"identity/{s}", i) for i, s in enumerate("ABC") for n in range(2)],
    columns=["photo", "subject", "identity"],
)


def execution() -> Execution:
    return Execution(make_fabric("cpu"), load_params().compute)


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    """Two crops of 112 x 96 for each subject."""
    aligned, noise = tmp_path_factory.mktemp("aligned"), np.random.default_rng(0)
    folder = aligned / "expression" / "expression"
    others = aligned / "identity" / "identity"
    photos = [f"{subject[-1]}/{number}.jpg" for subject in SUBJECTS for number in range(2)]
    crops = pd.DataFrame({"photo": photos, "status": "aligned"}).reindex(columns=list(CROPS))
    crops["crop"] = crops["photo"] + ".png"
    for crop in crops["crop"]:
        (folder / crop).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (112, 96, 3), dtype=np.uint8)).save(folder / crop)
    write_table(crops, folder / "crops.csv", CROPS)
    shutil.copytree(folder, others)  # the same crops as those of other people
    return aligned


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """MobileFaceNet as an import leaves it."""
    folder = tmp_path_factory.mktemp("start")
    card = new_card(
        project_of("mobilefacenet").expects,
        trunk="mobilefacenet",
        bottleneck=None,
        dropout=0.0,
        batch_norm_momentum=0.1,
        tasks={"identity": TaskCard(head=LinearHeadParams(name="linear", relu_on_logits=False), classes=["a"])},
        provenance={"made_by": "import"},
    )
    torch.manual_seed(3)
    save_model(build_network(card), card, folder)
    return folder


@pytest.fixture
def params() -> Params:
    params = load_params()
    network = {"trunk": "mobilefacenet", "bottleneck": None, "standardization": "fixed"}
    align = {"crop_px": [112, 96], "crop_form": "similarity", "margin_px": 0}
    frozen = params.train.batch_norm.model_copy(
        update={"trunk": "frozen", "branches": {"identity": "frozen", "expression": "training"}}
    )
    train = {"num_epochs": 0, "batch_size": 2, "validation_fraction": 0.0, "batch_norm": frozen}
    return params.model_copy(
        update={
            "network": params.network.model_copy(update=network),
            "align": params.align.model_copy(update=align),
            "train": params.train.model_copy(update=train),
        }
    )


def trained(aligned, start, params: Params):
    rows = [
        {"photo": f"{s}/{n}.jpg", "subject": s, "expression": EXPRESSIONS[n], "fold": i, "role": "peak"}
        for i, s in enumerate(SUBJECTS)
        for n in range(2)
    ]
    labels = pd.DataFrame(rows).reindex(columns=list(EXPRESSION_LABELS))
    data = FoldData(0, labels, EXPRESSIONS, IDENTITIES, aligned)
    return train_fold(data, params, start_dir=start, execution=execution())


def test_every_branch_starts_as_a_copy_of_the_published_one(aligned, start, params):
    none = trained(aligned, start, params)
    assert none.facts["filled_from_start"]["branches.expression"] == "branches.identity"
    identity, expression = (none.network.branches[task].state_dict() for task in ("identity", "expression"))
    torch.testing.assert_close(identity, expression, rtol=0, atol=0)


def test_a_step_trains_trunk_and_branches_and_frozen_statistics_stay(aligned, start, params):
    before = trained(aligned, start, params).network.state_dict()
    once = params.train.model_copy(update={"num_epochs": 1})
    result = trained(aligned, start, params.model_copy(update={"train": once}))
    after = result.network.state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert {"trunk.blocks.11.conv.0.weight", "branches.expression.linear1.conv.weight"} <= changed
    statistics = {name for name in changed if "running" in name}
    assert statistics
    assert all(name.startswith("branches.expression.") for name in statistics)
    assert result.card.crop_px == [112, 96]
    assert result.card.detector.crop_form == "similarity"


@pytest.mark.parametrize(("key", "value"), [("standardization", "per_image"), ("channel_order", "bgr")])
def test_a_start_that_expects_another_input_is_refused(aligned, start, params, key, value):
    network = params.network.model_copy(update={key: value})
    with pytest.raises(ModelFileError, match=rf"network\.{key} is .*, and params\.yaml has {value}"):
        trained(aligned, start, params.model_copy(update={"network": network}))


def test_pretraining_asks_for_the_standardisation_of_the_weights_it_starts_from(aligned, params):
    network = params.network.model_copy(update={"trunk": "timm:resnet18", "pretrained": True})
    photos = [f"expression/{subject[-1]}/0.jpg" for subject in SUBJECTS[:2]]
    labels = pd.DataFrame({"photo": photos, "subject": SUBJECTS[:2], "identity": [0, 1]})
    with pytest.raises(ParamsError, match=r"the weights of timm:resnet18 expect another standardisation"):
        pretrain(
            labels,
            aligned / "expression",
            params.model_copy(update={"network": network}),
            execution=execution(),
        )


def test_a_fine_tuning_keeps_to_the_imported_network(aligned, start, params):
    result = trained(aligned, start, with_train(params, num_epochs=2, keep=5.0))
    kept = result.fitted.trajectory["keep_loss"]
    assert kept.iloc[0] == pytest.approx(0, abs=1e-6)  # before the first step the network is its start
    assert kept.iloc[-1] > 1e-6


def test_the_identity_set_is_replayed_from_an_imported_start(aligned, start, params):
    result = trained(aligned, start, with_train(params, num_epochs=2, batch_size=4, sets=["expression", "identity"]))
    assert result.card.classes("identity") == [*SUBJECTS[1:], "identity/A", "identity/B", "identity/C"]
    assert result.facts["num_photos"] == 4 + 6
    assert (result.fitted.trajectory["loss_identity"] > 0).all()
    assert (result.fitted.trajectory["loss_expression"] > 0).any()


def test_a_recipe_of_parts_trains_from_an_imported_start(aligned, start, params):
    """Heads first, a slow trunk, rare classes drawn and weighted more: all at once, from params alone."""
    expression = params.tasks["expression"]
    loss = expression.loss.model_copy(update={"class_weights": "inverse_sqrt", "label_smoothing": 0.1})
    tasks = {**params.tasks, "expression": expression.model_copy(update={"loss": loss})}
    recipe = with_train(
        params.model_copy(update={"tasks": tasks}),
        num_epochs=2,
        keep=5.0,
        learning_rate_factors={"trunk": 0.1, "heads": 10.0},
        freeze={"trunk": 1, "branches": 1},
        balanced_task="expression",
        optimizer=params.train.optimizer.model_copy(update={"warmup_fraction": 0.25}),
    )
    result = trained(aligned, start, recipe)
    rates = result.fitted.trajectory["learning_rate"]
    assert rates.iloc[0] == recipe.train.optimizer.learning_rate  # a quarter of four steps
    assert result.fitted.trajectory["keep_loss"].iloc[:2].to_numpy() == pytest.approx(0, abs=1e-6)  # heads alone
    assert np.isfinite(result.fitted.trajectory["grad_norm"]).all()


def with_train(params: Params, **changes) -> Params:
    return params.model_copy(update={"train": params.train.model_copy(update=changes)})
