"""A data set of the comparison, once for all its cells: index to pretrain, by the stages' scripts."""

import subprocess
import sys
from pathlib import Path

from grid import params_of
from ruamel.yaml import YAML

from dwmtl.stage import run, whole_folder

ROLES = ("expression", "verification", "identity")


def main(data_set: str, out: Path) -> None:
    """Everything that a training and its evaluation read, below one folder, with the params as they were."""
    yaml = YAML()
    values = params_of(data_set, yaml.load(Path("params.yaml").read_text()))
    with whole_folder(out) as folder:
        params = folder / "params.yaml"
        yaml.dump(values, params)
        index, aligned, labels = folder / "index", folder / "aligned", folder / "labels"
        for role in ROLES:
            listed, crops = index / role / role, aligned / role / role
            stage("index", params, set=role, out=listed)
            stage("facts", params, set=role, index=listed, out=folder / "facts" / role / role)
            stage("align", params, set=role, index=listed, out=crops)
        stage(
            "labels",
            params,
            expression=index / "expression",
            identity=index / "identity",
            facts=folder / "facts",
            out=labels,
        )
        sets = {role: index / role for role in ("expression", "verification")}
        stage("pairs", params, labels=labels, **sets, out=folder / "pairs")
        model, metrics = folder / "pretrain", folder / "pretrain_metrics"
        stage("pretrain", params, labels=labels, aligned=aligned / "identity", model=model, metrics=metrics)


def stage(name: str, params: Path, **options: object) -> None:
    """Run a stage's script."""
    given = [text for option, value in options.items() for text in (f"--{option}", str(value))]
    subprocess.run([sys.executable, f"stages/{name}.py", *given, "--params", str(params)], check=True)


if __name__ == "__main__":
    run(main)
