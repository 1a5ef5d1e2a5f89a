"""How the stages scale: time and peak memory of each at 1, 4 and 16 times the data, from rendered faces.

    python benchmarks/scaling.py --factors 1,4,16 [--record]

The stages' scripts run one after the other, each in its own process, in a temporary folder. The number of people is
multiplied, not the photos per person. Training is one epoch at 80 px from initial weights.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from outcome import PAGE, REPOSITORY, Outcome, commit, hardware, report
from ruamel.yaml import YAML


def main(
    factors: Annotated[str, typer.Option(help="two or more, separated by commas")] = "1,4,16",
    record: Annotated[bool, typer.Option(help="append to docs/benchmarks.md")] = False,
) -> None:
    """Print a table with a row per stage."""
    if "," not in factors:
        raise typer.BadParameter("give two factors or more, such as 1,4.")
    columns = {int(factor): measure(int(factor)) for factor in factors.split(",")}
    heads = [f"{factor}x ({photos} photos)" for factor, (photos, _) in columns.items()]
    lines = ["| stage | " + " | ".join(heads) + " |", "| --- |" + " --- |" * len(heads)]
    for stage in next(iter(columns.values()))[1]:
        cells = [f"{costs[stage][0]:.1f} s, {costs[stage][1]:.0f} MiB" for _, costs in columns.values()]
        lines.append(f"| `{stage}` | " + " | ".join(cells) + " |")
    table = "\n".join(lines)
    print(table)
    (few, base), *_, (many, costs) = columns.values()
    a_photo = [sum(seconds for seconds, _ in all_.values()) / photos for photos, all_ in ((many, costs), (few, base))]
    growth = Outcome(
        f"all stages, {many} photos against {few}",
        *(f"{1000 * s:.0f} ms/photo" for s in a_photo),
        a_photo[1] / a_photo[0],
    )
    report([growth], record=record)
    if record:
        with PAGE.open("a") as page:
            page.write(f"\n`benchmarks/scaling.py` on {hardware()}, commit {commit()}\n\n{table}\n")


def commands(params: dict) -> Iterator[tuple[str, list[str]]]:
    """Name and arguments of each stage's script, from dvc.yaml, where a stage stands after those that it depends on."""
    items = {"${sets}": params["sets"].items(), "${folds}": [("", fold) for fold in params["folds"]]}
    for name, stage in YAML(typ="safe", pure=True).load((REPOSITORY / "dvc.yaml").read_text())["stages"].items():
        for key, item in items.get(stage.get("foreach"), [("", "")]):
            values = {"${key}": key, "${item}": str(item), "${train.start}": params["train"]["start"]}
            values["${item.role}"] = item["role"] if isinstance(item, dict) else ""
            values["${folds[0]}"] = str(params["folds"][0])
            command = stage.get("do", stage)["cmd"]
            for template, value in values.items():
                command = command.replace(template, value)
            yield name, command.split()[1:]


def measure(factor: int) -> tuple[int, dict[str, tuple[float, float]]]:
    """Number of photos, and each stage's seconds (over its sets) and peak memory in MiB."""
    costs: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for stage, (script, *arguments) in commands(write_params(folder, factor)):
            seconds, peak = run([sys.executable, str(REPOSITORY / script), *arguments], folder)
            before = costs.get(stage, (0.0, 0.0))
            costs[stage] = before[0] + seconds, max(before[1], peak)
        return sum(1 for _ in (folder / "data/raw").rglob("*.jp*g")), costs


def write_params(folder: Path, factor: int) -> dict:
    """Write and give the default params, small, with `factor` times the people."""
    yaml = YAML()
    params = yaml.load((REPOSITORY / "params.yaml").read_text())
    params["render"] |= {
        "num_expression_subjects": 6 * factor,
        "num_frames": 4,
        "num_verification_people": 20 * factor,
        "num_identity_people": 5 * factor,
        "num_pairs_per_block": 5 * factor,
    }
    params["align"]["crop_px"] = 80
    params["labels"]["num_folds"] = 2
    params["folds"] = [0]
    for stage in ("pretrain", "train"):
        params[stage]["num_epochs"] = 1
    params["tracking"]["enabled"] = False
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(params, file)
    return params


def run(command: list[str], folder: Path) -> tuple[float, float]:
    """Seconds and peak memory (MiB) of a command, which must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    start = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)}\n{error[-2000:]}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


if __name__ == "__main__":
    typer.run(main)
