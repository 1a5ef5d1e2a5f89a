"""The paper's Figure 2 on a data set of the comparison, with the authors' optimiser: task weights above, losses below.

Both optimisers are RMSProp in TensorFlow's form, the unit's at the authors' rate; a panel per rate of the network and
form of the unit, with the seed 0 on fold 0.
"""

from pathlib import Path

from grid import read_yaml
from trainings import Prepared, read_prepared, train

from dwmtl.files import write_json
from dwmtl.params import Params, load_params
from dwmtl.stage import run
from dwmtl.weighting.params import weighting_params

OPTIMIZER = "rmsprop_tf"
FORMS = {"normalised logits": True, "logits as they are": False}


def main(data_set: str, data: Path, features: Path, out: Path) -> None:
    """Train each panel's network; write its weights and losses by step."""
    grid, params = read_yaml(Path("grid.yaml")), load_params(data / "params.yaml")
    prepared = read_prepared(data, features, grid["data_sets"][data_set]["num_frozen_blocks"])
    settings, panels = grid["figure_2"], {}
    for rate in settings["learning_rates"]:
        for form, normalize in FORMS.items():
            changed = as_authors(params, rate, settings, normalize_logits=normalize)
            panels[f"rate {rate:g}, {form}"] = course(prepared, changed)
    write_json({"batch_size": settings["batch_size"], "panels": panels}, out)


def as_authors(params: Params, rate: float, settings: dict, *, normalize_logits: bool) -> Params:
    """The params with the authors' optimiser for the network and the unit, at constant rates."""
    optimizer = params.train.optimizer.model_copy(
        update={"name": OPTIMIZER, "learning_rate": rate, "schedule": "constant", "warmup_fraction": 0.0}
    )
    unit = weighting_params(
        "dynamic", normalize_logits=normalize_logits, optimizer=OPTIMIZER, learning_rate=settings["unit_rate"]
    )
    changes = {
        "optimizer": optimizer,
        "weighting": unit,
        "learning_rate_factors": {},
        **{name: settings[name] for name in ("batch_size", "num_epochs")},
    }
    return params.model_copy(update={"train": params.train.model_copy(update=changes)})


def course(prepared: Prepared, params: Params) -> dict[str, list[float]]:
    """The columns of the trajectory that the figure shows."""
    trajectory = train(0, prepared, params).fitted.trajectory
    shown = [name for name in trajectory if name == "step" or name.startswith(("weight_", "loss_"))]
    return {name: trajectory[name].round(4).tolist() for name in shown}


if __name__ == "__main__":
    run(main)
