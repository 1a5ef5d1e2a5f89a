"""What `train.keep` costs and saves: expression accuracy against LFW, a point per weight, as a table and a figure.

    python benchmarks/real/keep.py --results benchmarks/real/results/keep --out docs/images/keep.svg

Reads the records of `record.py`, one per weight; prints the table in Markdown.
"""

import json
from pathlib import Path
from typing import Annotated

import matplotlib
import pandas as pd
import typer
from matplotlib.figure import Figure

from dwmtl.files import write_text
from dwmtl.report.figures import COLORS, STYLE, svg_text
from dwmtl.stage import run

MEASURES = ("expression", "verification", "authentication")
FOLDS, START = COLORS[:2]


def main(
    results: Annotated[Path, typer.Option(help="folder of the records")],
    out: Annotated[Path, typer.Option(help="the figure, an SVG file")],
) -> None:
    """Print the table and write the figure."""
    records = [json.loads(path.read_text()) for path in sorted(results.glob("*.json"))]
    folds = pd.concat(map(scores_by_fold, records), ignore_index=True)
    start = 100 * records[0]["start"]["verification_accuracy"]
    print(table(folds, start=start))
    write_text(figure(folds, start=start), out)


def scores_by_fold(record: dict) -> pd.DataFrame:
    """A row per fold: keep, and the measures in percent."""
    scores = {name: record["scores"][f"{name}_accuracy"]["per_fold"] for name in MEASURES}
    return (100 * pd.DataFrame(scores)).assign(keep=float(record["params"]["train"]["keep"]))


def table(folds: pd.DataFrame, *, start: float) -> str:
    """A row per weight: means over the folds."""
    lines = ["| `train.keep` | expression | LFW | against the start | authentication |", "| --- |" + " --- |" * 4]
    for keep, mean in folds.groupby("keep").mean().iterrows():
        lines.append(
            f"| {keep:g} | {mean['expression']:.1f} % | {mean['verification']:.2f} % | "
            f"{mean['verification'] - start:+.2f} | {mean['authentication']:.1f} % |"
        )
    return "\n".join(lines)


def figure(folds: pd.DataFrame, *, start: float) -> str:
    """Text of the SVG: folds as small dots, means joined in the order of the weights, the start as a line."""
    means = folds.groupby("keep").mean()
    with matplotlib.rc_context(STYLE):
        page = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = page.subplots()
        axes.plot(folds["verification"], folds["expression"], ".", color=FOLDS, alpha=0.35)
        axes.plot(means["verification"], means["expression"], "o-", color=FOLDS, linewidth=1, markersize=5)
        for keep, mean in means.iterrows():
            place = (mean["verification"], mean["expression"])
            axes.annotate(f"keep {keep:g}", place, xytext=(4, 5), textcoords="offset points")
        axes.axvline(start, color=START, linestyle="--", linewidth=1)
        axes.annotate("the start ", (start, 0.02), xycoords=("data", "axes fraction"), color=START, ha="right")
        axes.set_xlabel("LFW View 2, accuracy (%)")
        axes.set_ylabel("expression, accuracy (%)")
        return svg_text(page)


if __name__ == "__main__":
    run(main)
