"""The paper's Figure 2 from our trainings: task weights above, task losses below, for both forms of the unit.

    make figure-2

Trains fold 0 of what `make repro` prepared twice, with and without `normalize_logits`, and draws both.
"""

from pathlib import Path

from dwmtl.params import Params, load_params
from dwmtl.report.figures import trajectories_svg
from dwmtl.stage import run
from dwmtl.tables import write_table
from dwmtl.training.compute import Execution, launch
from dwmtl.training.fold_data import read_fold_data
from dwmtl.training.train import train_fold
from dwmtl.weighting.params import weighting_params

VARIANTS = {"normalised logits (the published figure)": True, "logits as they are (the published code)": False}


def main(
    labels: Path, aligned: Path, start: Path, out: Path, num_epochs: int = 8, params: Path = Path("params.yaml")
) -> None:
    """Train both variants, draw the figure and write the trajectories beside it."""
    values = load_params(params)
    data = read_fold_data(0, labels_dir=labels, aligned_dir=aligned)
    execution = Execution(launch(values.compute, precision=values.train.precision), values.compute)
    trajectories = {}
    for name, normalize in VARIANTS.items():
        changed = variant(values, normalize_logits=normalize, num_epochs=num_epochs)
        trained = train_fold(data, changed, start_dir=start, execution=execution)
        trajectories[name] = trained.fitted.trajectory
        write_table(trajectories[name], out.with_name(f"{out.stem}_{'normalised' if normalize else 'unbounded'}.csv"))
    out.write_text(trajectories_svg(trajectories))


def variant(params: Params, *, normalize_logits: bool, num_epochs: int) -> Params:
    """The params with the dynamic unit in one of its forms."""
    weighting = weighting_params("dynamic", normalize_logits=normalize_logits)
    train = params.train.model_copy(update={"weighting": weighting, "num_epochs": num_epochs})
    return params.model_copy(update={"train": train})


if __name__ == "__main__":
    run(main)
