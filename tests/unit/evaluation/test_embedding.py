"""A network over crops: in float32, and in bf16."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from dwmtl.device import fastest_precision
from dwmtl.evaluation.embedding import Answers, embed
from dwmtl.evaluation.evaluate import predict
from dwmtl.params import load_params
from dwmtl.tables import CROPS, write_table

REPOSITORY = Path(__file__).resolve().parents[3]
CROP_PX = 80
CROPS_OF_NOISE = torch.randint(0, 256, (3, 3, CROP_PX, CROP_PX), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def network(make_network):
    return make_network({"identity": 4, "expression": 3})


@pytest.fixture(scope="module")
def answers(network):
    """What the network answers in a precision."""

    def answer(precision: str) -> Answers:
        crops = list(CROPS_OF_NOISE.to(torch.uint8))
        return embed(
            network,
            crops,
            flip="none",
            batch_size=2,
            accelerator="cpu",
            num_workers=0,
            title="test",
            precision=precision,
        )

    return answer


def test_bf16_gives_nearly_the_embeddings_of_float32(answers):
    exact, rounded = (answers(precision) for precision in ("32-true", "bf16-mixed"))
    assert rounded.embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rounded.embeddings, axis=1), 1, atol=1e-5)
    assert (exact.embeddings * rounded.embeddings).sum(axis=1).min() > 0.999
    assert not np.array_equal(exact.embeddings, rounded.embeddings)
    np.testing.assert_allclose(exact.of_tasks["expression"], rounded.of_tasks["expression"], atol=0.02)


def test_auto_is_the_faster_precision_of_the_processor(answers):
    chosen, _ = fastest_precision("cpu")
    np.testing.assert_array_equal(answers("auto").embeddings, answers(chosen).embeddings)


def test_a_fold_is_scored_in_the_precision_of_the_params(network, answers, tmp_path):
    names = ["a.png", "b.png", "c.png"]
    for name, crop in zip(names, CROPS_OF_NOISE, strict=True):
        (tmp_path / "lfw").mkdir(exist_ok=True)
        Image.fromarray(crop.permute(1, 2, 0).numpy().astype(np.uint8)).save(tmp_path / "lfw" / name)
    table = pd.DataFrame({"photo": names, "crop": names}).reindex(columns=list(CROPS))
    write_table(table.assign(status="aligned", num_faces=1, chosen_by="largest"), tmp_path / "lfw/crops.csv", CROPS)
    params = load_params(REPOSITORY / "params.yaml")
    photos = pd.Series([f"lfw/{name}" for name in names])
    for precision in ("32-true", "bf16-mixed"):
        evaluate = params.evaluate.model_copy(update={"precision": precision, "batch_size": 2})
        scored = predict(network, photos, tmp_path, params.model_copy(update={"evaluate": evaluate}))
        np.testing.assert_array_equal(scored.answers.embeddings, answers(precision).embeddings)
