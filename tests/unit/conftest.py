"""A small model that is exactly right about a few rendered photos: initial weights but for two last layers."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PEOPLE = ["P001", "P002"]
EXPRESSIONS = ["happiness", "neutral", "surprise"]
THRESHOLD = 1.0
"""Between the distances of one person's photos, 0, and of two people's, 2."""


@dataclass(frozen=True)
class Known:
    """A model's folder, and rendered photos of which it knows those that `photo` names; and `threshold.json`."""

    model: Path
    photos: Path

    def photo(self, expression: str, person: str = "P001") -> Path:
        """A photo by its expression: one of EXPRESSIONS."""
        sequence, frame = ("Happiness", 0) if expression == "neutral" else (expression.capitalize(), 3)
        return self.photos / f"VL/Strong/{person}/{sequence}/{frame:03d}.jpeg"

    def write_threshold(self, path: Path, **changes: object) -> Path:
        """The model's threshold in a file as the pipeline writes it; `changes` to its settings."""
        sha256 = json.loads((self.model / "model.json").read_text())["weights_sha256"]
        settings = {"distance": "squared_euclidean", "flip": "none", "subtract_mean": False, "model_sha256": sha256}
        thresholds = [THRESHOLD - 0.25, THRESHOLD + 0.25]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"num_pairs": 20, "threshold_per_fold": thresholds, "settings": settings | changes}))
        return path


@pytest.fixture(scope="session")
def known(tmp_path_factory) -> Known:
    """Two people, P001 and P002, with three expressions each."""
    import numpy as np
    import torch

    from dwmtl.crops.photos import read_photo
    from dwmtl.inference.face_finder import FaceFinder
    from dwmtl.network.model_card import DetectorCard, ModelCard, TaskCard, build_network
    from dwmtl.network.model_file import save_model
    from dwmtl.network.params import LinearHeadParams
    from dwmtl.params import load_params
    from dwmtl.rendered.sets import render_oulu_casia

    params = load_params(REPOSITORY / "params.yaml")
    found = Known(tmp_path_factory.mktemp("model"), tmp_path_factory.mktemp("rendered"))
    render = {"num_expression_subjects": len(PEOPLE), "num_frames": 4, "difficulty": 0.0}
    render_oulu_casia(found.photos, params.render.model_copy(update=render))
    classes = {"identity": ["a", "b"], "expression": EXPRESSIONS, "glasses": ["no", "yes"]}
    linear = LinearHeadParams(name="linear", relu_on_logits=False)
    card = ModelCard(
        network=params.network.model_copy(update={"bottleneck": len(PEOPLE)}),
        crop_px=80,
        margin_px=10,
        detector=DetectorCard(min_face_px=40),
        tasks={
            **{task: TaskCard(head=linear, classes=names) for task, names in classes.items()},
            "units": TaskCard(head=linear, classes=["AU4", "AU12"], kind="multi_label"),
            "age": TaskCard(head=linear, classes=["age"], kind="regression", range=[0, 100]),
        },
        provenance={"made_by": "test"},
    )
    torch.manual_seed(0)
    network = build_network(card).eval()
    photos = [found.photo(expression, person) for expression in EXPRESSIONS for person in PEOPLE]
    faces = FaceFinder(card, device=torch.device("cpu")).find([read_photo(photo) for photo in photos])
    _learn(network, torch.from_numpy(np.stack([face.crop for (face,) in faces])))
    save_model(network, card, found.model)
    return found


@pytest.fixture(scope="session")
def model(known):
    """The known model, as `load_model` gives it."""
    from dwmtl.inference.model import load_model

    return load_model(known.model, device="cpu", threshold=THRESHOLD)


def _learn(network, crops) -> None:
    """Weights of the two last linear layers that are exactly right about crops (expressions x people, S, S, 3)."""
    import torch

    with torch.no_grad():
        features = network.trunk(network.standardize(crops.permute(0, 3, 1, 2)))
        expression = network.branches["expression"](features)
        identity = network.branches["identity"]
        pooled = identity.blocks(features).mean(dim=(2, 3))
        is_expression = torch.eye(len(EXPRESSIONS)).repeat_interleave(len(PEOPLE), dim=0)
        is_person = torch.eye(len(PEOPLE)).repeat(len(EXPRESSIONS), 1)
        network.heads["expression"].weight.copy_(torch.linalg.lstsq(expression, 10 * is_expression).solution.T)
        identity.bottleneck[0].weight.copy_(torch.linalg.lstsq(pooled, is_person).solution.T)
