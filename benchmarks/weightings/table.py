"""The comparison as a table and a figure: means over seeds and folds, and paired differences against `dynamic`."""

import json
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dwmtl.report.figures import COLORS, INK, STYLE, svg_text
from dwmtl.stage import run

MEASURES = {
    "expression_accuracy": "expression",
    "verification_accuracy": "verification",
    "authentication_accuracy": "authentication",
}
REFERENCE = "dynamic"


def main(results: Path, out: Path, figure: Path) -> None:
    """Write the table (Markdown) and the figure (SVG)."""
    runs = read(results)
    sections = [section(name, runs[runs["data_set"] == name]) for name in sorted(runs["data_set"].unique())]
    out.write_text("\n".join(sections))
    figure.write_text(draw(runs))


def read(results: Path) -> pd.DataFrame:
    """A row per training: data_set, weighting, seed, fold, and the measures."""
    tables = []
    for file in sorted(results.glob("*/*.json")):
        table = pd.DataFrame(json.loads(file.read_text()))
        tables.append(table.assign(data_set=file.parent.name, weighting=file.stem))
    return pd.concat(tables, ignore_index=True)


def section(name: str, runs: pd.DataFrame) -> str:
    """A data set's table: percent, mean ± deviation over the trainings; difference ± its standard error."""
    chance = {"expression_accuracy": runs["majority"].mean(), "authentication_accuracy": runs["always_reject"].mean()}
    lines = [
        f"### {name}",
        "",
        f"{runs.groupby('weighting').size().iloc[0]} trainings per weighting ({runs['seed'].nunique()} seeds × "
        f"{runs['fold'].nunique()} folds). Guessing: expression {100 * chance['expression_accuracy']:.1f}, "
        f"verification 50.0, authentication {100 * chance['authentication_accuracy']:.1f}.",
        "",
        "| weighting | " + " | ".join(f"{short} | Δ" for short in MEASURES.values()) + " |",
        "| --- |" + " --- |" * (2 * len(MEASURES)),
    ]
    order = runs.groupby("weighting")["expression_accuracy"].mean().sort_values(ascending=False, kind="stable").index
    for weighting in order:
        cells = [f"{cell(runs, weighting, measure)} | {difference(runs, weighting, measure)}" for measure in MEASURES]
        lines.append(f"| `{weighting}` | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def cell(runs: pd.DataFrame, weighting: str, measure: str) -> str:
    values = 100 * runs.loc[runs["weighting"] == weighting, measure]
    return f"{values.mean():.1f} ± {values.std(ddof=0):.1f}"


def paired(runs: pd.DataFrame, weighting: str, measure: str) -> np.ndarray:
    """A difference per seed and fold, in points, against the reference."""
    wide = runs.pivot(index=["seed", "fold"], columns="weighting", values=measure)
    return 100 * (wide[weighting] - wide[REFERENCE]).to_numpy()


def difference(runs: pd.DataFrame, weighting: str, measure: str) -> str:
    if weighting == REFERENCE:
        return ""
    values = paired(runs, weighting, measure)
    error = f" ± {standard_error(values):.1f}" if len(values) > 1 else ""
    return f"{values.mean():+.1f}{error}"


def standard_error(values: np.ndarray) -> float:
    """Standard error of the mean; 0 for a single value."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def draw(runs: pd.DataFrame) -> str:
    """Differences against the reference, a dot per training, and their mean and standard error."""
    data_sets = sorted(runs["data_set"].unique())
    weightings = sorted(set(runs["weighting"]) - {REFERENCE}, reverse=True)
    with matplotlib.rc_context(STYLE | {"font.size": 8, "axes.grid": False}):
        page = Figure(figsize=(9, 0.22 * len(weightings) * len(data_sets) + 1.2), layout="constrained")
        panels = page.subplots(len(data_sets), len(MEASURES), sharey=True, squeeze=False)
        for row, data_set in enumerate(data_sets):
            of_set = runs[runs["data_set"] == data_set]
            for axes, (measure, short) in zip(panels[row], MEASURES.items(), strict=True):
                for place, weighting in enumerate(weightings):
                    if weighting not in set(of_set["weighting"]):
                        continue  # not run on this set
                    values = paired(of_set, weighting, measure)
                    axes.plot(values, np.full(len(values), place), ".", color=COLORS[0], alpha=0.45)
                    axes.errorbar(
                        values.mean(), place, xerr=standard_error(values), fmt="o", color=COLORS[1], markersize=4
                    )
                axes.axvline(0, color=INK, linewidth=0.8)
                axes.set_title(f"{data_set}: {short}")
                if row == len(data_sets) - 1:
                    axes.set_xlabel("points against dynamic")
            panels[row][0].set_yticks(range(len(weightings)), weightings)
        return svg_text(page)


if __name__ == "__main__":
    run(main)
