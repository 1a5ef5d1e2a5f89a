"""What `train.keep` costs and saves: expression accuracy against LFW, a point per weight, as a table and a figure.

    python benchmarks/real/draw_keep.py --results benchmarks/real/results --out docs/images/keep.svg

Reads the records `keep_*.json` of `record.py`; prints the table in Markdown.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from dwmtl.files import write_text
from dwmtl.results import read_json
from dwmtl.stage import run

INK, LAST, START = "#7d838c", "#3b8fd4", "#e0861a"
STYLE = {
    "svg.hashsalt": "dwmtl", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9,
    "axes.edgecolor": INK, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": INK, "grid.alpha": 0.15,
    "legend.frameon": False,
}  # fmt: skip


@dataclass(frozen=True)
class Point:
    """The scores under a weight of the keep loss; a value per fold, percent."""

    keep: float
    expression: list[float]
    verification: list[float]
    authentication: list[float]


def main(results: Path, out: Path) -> None:
    """Print the table and write the figure."""
    records = [read_json(path) for path in results.glob("keep_*.json")]
    points = sorted(map(point, records), key=lambda each: each.keep)
    start = 100 * records[0]["start"]["verification_accuracy"]
    print(table(points, start=start))
    write_text(figure(points, start=start), out)


def point(record: dict) -> Point:
    """The point of a record."""
    percent = {name: [100 * value for value in score["per_fold"]] for name, score in record["scores"].items()}
    return Point(
        keep=float(record["changes"]["train.keep"]),
        expression=percent["expression_accuracy"],
        verification=percent["verification_accuracy"],
        authentication=percent["authentication_accuracy"],
    )


def table(points: list[Point], *, start: float) -> str:
    """A row per weight: means over the folds, percent."""
    rows = [
        f"| {each.keep:g} | {mean(each.expression):.1f} | {mean(each.verification):.2f} | "
        f"{mean(each.verification) - start:+.2f} | {mean(each.authentication):.1f} |"
        for each in points
    ]
    head = "| `train.keep` | expression | LFW | against the start | authentication |\n| --- | --- | --- | --- | --- |"
    return "\n".join([head, *rows])


def figure(points: list[Point], *, start: float) -> str:
    """Text of the SVG: means joned in the order of the weights, the folds as small dots, the start as a line."""
    with matplotlib.rc_context(STYLE):
        page = Figure(figsize=(6.4, 3.8), layout="constrained")
        axes = page.subplots()
        for each in points:
            axes.plot(each.verification, each.expression, ".", color=LAST, alpha=0.35, markersize=5)
        x, y = ([mean(values) for values in zip_of(points, name)] for name in ("verification", "expression"))
        axes.plot(x, y, "o-", color=LAST, linewidth=1, markersize=5)
        for each, place in zip(points, zip(x, y, strict=True), strict=True):
            axes.annotate(f"{each.keep:g}", place, xytext=(5, 5), textcoords="offset points")
        axes.axvline(start, color=START, linestyle="--", linewidth=1, label=f"the start, {start:.2f} %")
        axes.set_xlabel("LFW View 2, accuracy (%)")
        axes.set_ylabel("expression, accuracy (%)")
        axes.legend(loc="lower left")
        text = io.StringIO()
        page.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def zip_of(points: list[Point], name: str) -> list[list[float]]:
    """A field of every point."""
    return [getattr(each, name) for each in points]


def mean(values: list[float]) -> float:
    """Mean over the folds."""
    return sum(values) / len(values)


if __name__ == "__main__":
    run(main)
