"""Trainings that start from another project's network, on crops that are higher than wide."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from dwmtl.errors import ModelFileError, ParamsError
from dwmtl.network.imported import new_card
from dwmtl.network.model_file import TaskCard, build_network, save_model
from dwmtl.network.params import LinearHeadParams
from dwmtl.network.published import project_of
from dwmtl.params import Params, load_params
from dwmtl.tables import CROPS, EXPRESSION_LABELS, write_table
from dwmtl.training.compute import make_fabric
from dwmtl.training.pretrain import pretrain
from dwmtl.training.train import train_fold

SUBJECTS = ["expression/A", "expression/B", "expression/C"]
EXPRESSIONS = ["anger", "happiness"]
IDENTITIES = pd.DataFrame(columns=["photo", "subject", "identity"])


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    """Two crops of 112 x 96 for each subject."""
    aligned, noise = tmp_path_factory.mktemp("aligned"), np.random.default_rng(0)
    folder = aligned / "expression" / "expression"
    photos = [f"{subject[-1]}/{number}.jpg" for subject in SUBJECTS for number in range(2)]
    crops = pd.DataFrame({"photo": photos, "status": "aligned"}).reindex(columns=list(CROPS))
    crops["crop"] = crops["photo"] + ".png"
    for crop in crops["crop"]:
        (folder / crop).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (112, 96, 3), dtype=np.uint8)).save(folder / crop)
    write_table(crops, folder / "crops.csv", CROPS)
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
    return train_fold(
        pd.DataFrame(rows).reindex(columns=list(EXPRESSION_LABELS)),
        EXPRESSIONS,
        params,
        fold=0,
        identity_labels=IDENTITIES,
        aligned_dir=aligned,
        start_dir=start,
        fabric=make_fabric("cpu"),
    )


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
            labels, aligned / "expression", params.model_copy(update={"network": network}), fabric=make_fabric("cpu")
        )
