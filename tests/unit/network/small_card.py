"""The card of a small model."""

from dwmtl.network.model_card import ModelCard, TaskCard
from dwmtl.params import load_params


def make_card(network: dict | None = None, /, **classes: list[str]) -> ModelCard:
    params = load_params()
    classes = classes or {"identity": ["a", "b"], "expression": ["anger", "happiness"]}
    return ModelCard(
        network=params.network.model_copy(update=network or {}),
        crop_px=112,
        margin_px=14,
        tasks={task: TaskCard(head=params.tasks[task].head, classes=names) for task, names in classes.items()},
        provenance={"made_by": "test"},
    )
