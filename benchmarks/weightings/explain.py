"""Why the weights go where they go: the tasks' weights, losses and gradients along trainings of the comparison.

Trains fold 0 with each weighting, with the seed 0. Every few steps it takes the gradients of the tasks' losses,
unweighted, on the trained part of the trunk, over the same training samples in inference mode.
"""

from pathlib import Path

import torch
from grid import read_yaml, settings_of, training_params
from torch.nn import functional
from trainings import read_prepared, train

from dwmtl.files import write_json
from dwmtl.network.network import EXPRESSION, IDENTITY
from dwmtl.params import load_params
from dwmtl.stage import run
from dwmtl.training.training import Training

TASKS = (IDENTITY, EXPRESSION)
NUM_SAMPLES = 64
EVERY = 2


def main(data_set: str, data: Path, features: Path, out: Path) -> None:
    """Write the courses of the weightings that the grid names under `explained`."""
    grid, params = read_yaml(Path("grid.yaml")), load_params(data / "params.yaml")
    prepared = read_prepared(data, features, grid["data_sets"][data_set]["num_frozen_blocks"])
    explained = grid["explained"]
    courses: dict[str, dict[str, list]] = {}
    for name in explained["weightings"]:
        changed = training_params(params, settings_of(grid, name), seed=0, learning_rate=explained["learning_rate"])
        measured: list[dict[str, object]] = []
        trained = train(0, prepared, changed, on_step=lambda training, row, to=measured: measure(training, row, to))
        trajectory = trained.fitted.trajectory
        courses[name] = {"gradients": measured}
        for kind, column in {"weights": "weight", "losses": "loss"}.items():
            courses[name][kind] = trajectory[[f"{column}_{task}" for task in TASKS]].round(4).to_numpy().tolist()
    write_json({"tasks": TASKS, "learning_rate": explained["learning_rate"], "courses": courses}, out)


def measure(training: Training, row: dict[str, float], to: list[dict[str, object]]) -> None:
    """Add the norms of the tasks' gradients and their cosine after a step."""
    if row["step"] % EVERY:
        return
    network, dataset = training.network, training.dataset
    was_training = {module: module.training for module in network.modules()}
    indices = torch.linspace(0, len(dataset) - 1, NUM_SAMPLES).long()
    output = network.eval()(dataset.as_they_are(indices))
    parameters, gradients = list(network.trunk.parameters()), []
    for task in TASKS:
        loss = functional.cross_entropy(output.logits[task], dataset.labels[task][indices])
        parts = torch.autograd.grad(loss, parameters, retain_graph=True)
        gradients.append(torch.cat([part.flatten() for part in parts]))
    for module, mode in was_training.items():
        module.training = mode
    norms = [float(f"{float(gradient.norm()):.4g}") for gradient in gradients]
    cosine = functional.cosine_similarity(*gradients, dim=0)
    to.append({"step": int(row["step"]), "norms": norms, "cosine": round(float(cosine), 4)})


if __name__ == "__main__":
    run(main)
