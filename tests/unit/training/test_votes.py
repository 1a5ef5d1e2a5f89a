"""Votes as targets, against a cross-entropy written out."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from dwmtl.errors import ProtocolError
from dwmtl.network.params import ArcFaceHeadParams, HiddenHeadParams, LinearHeadParams
from dwmtl.params import load_params
from dwmtl.training.losses import EXPRESSION_SHARES, NO_LABEL, TaskLoss
from dwmtl.training.samples import fold_samples
from dwmtl.training.task_params import LossParams
from dwmtl.training.votes import require_head_for_votes, vote_shares

CLASSES = ["anger", "fear", "neutral"]
ROWS = pd.DataFrame(
    {
        "path": ["a.png", "b.png", "c.png", "d.png"],
        "votes_anger": ["6", "", "0", "5"],
        "votes_fear": ["2", "", "0", "5"],
        "votes_contempt": ["2", "", "9", "0"],  # no class here
    }
)
LABELS = np.array([0, 2, 1, NO_LABEL])


def test_shares_are_of_the_classes_and_a_row_without_votes_has_its_label():
    shares = vote_shares(ROWS, LABELS, CLASSES)
    assert shares.tolist() == [[0.75, 0.25, 0], [0, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert vote_shares(ROWS[["path", "votes_contempt"]], LABELS, CLASSES) is None


def test_samples_of_a_fold_have_the_shares_and_identity_photos_none():
    rows = ROWS.assign(photo=ROWS["path"], subject=["x", "y", "x", "y"], expression=["anger", "neutral", "fear", ""])
    identity_rows = pd.DataFrame({"path": ["e.png"], "subject": ["z"]})
    samples = fold_samples(rows, identity_rows, load_params().tasks, expressions=CLASSES, all_labels=rows)
    assert samples.labels["expression"].tolist() == [*LABELS, NO_LABEL]
    assert samples.labels[EXPRESSION_SHARES][:4].tolist() == vote_shares(ROWS, LABELS, CLASSES).tolist()
    assert not samples.labels[EXPRESSION_SHARES][4].any()


@pytest.mark.parametrize("cell", ["many", "-1", "inf"])
def test_a_cell_that_is_no_number_of_votes_is_an_error_with_its_photo(cell):
    with pytest.raises(ProtocolError, match=rf"b\.png: the column votes_fear holds '{cell}'"):
        vote_shares(ROWS.assign(votes_fear=["1", cell, "1", "1"]), LABELS, CLASSES)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_cross_entropy_of_the_shares_and_their_gradient_softmax_minus_shares(smoothing):
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    shares = torch.from_numpy(vote_shares(ROWS, LABELS, CLASSES))
    loss_of = TaskLoss(LossParams(label_smoothing=smoothing), num_features=2, num_classes=3)
    labels = torch.from_numpy(LABELS)
    loss, has_label, _ = loss_of.of_batch(torch.nn.Identity(), torch.zeros(4, 2), logits, labels, shares)
    total, expected = 0.0, torch.zeros(4, 3)
    for row in range(3):  # the fourth has no label
        exponentials = [math.exp(value) for value in logits[row].tolist()]
        for column in range(3):
            target = (1 - smoothing) * float(shares[row, column]) + smoothing / 3
            share = exponentials[column] / sum(exponentials)
            total -= target * math.log(share) / 3
            expected[row, column] = (share - target) / 3
    assert bool(has_label)
    assert loss.item() == pytest.approx(total, rel=1e-5)
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], expected)


def test_heads_with_one_true_class_are_refused():
    for head in (HiddenHeadParams(), LinearHeadParams()):
        require_head_for_votes(head)
    for head in (ArcFaceHeadParams(margin_deg=20.0, scale=8.0), LinearHeadParams(sample_rate=0.5)):
        with pytest.raises(ProtocolError, match=r"tasks\.expression\.head is"):
            require_head_for_votes(head)
