"""The comparison's figures: the front of the fixed weights with every rule beside it; the weights that rules give."""

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from differences import Counts, resampled_means
from matplotlib.figure import Figure

from dwmtl.report.figures import COLORS, INK, STYLE, svg_text

FIXED = "fixed_"
ALONE = "_alone"


def draw_front(rows: Mapping[str, Any]) -> str:
    """Expression against verification accuracy, percent: fixed ratios joined in their order, rules as points."""
    fixed = sorted((name for name in rows if name.startswith(FIXED)), key=lambda name: int(name.removeprefix(FIXED)))
    with matplotlib.rc_context(STYLE | {"font.size": 8}):
        page = Figure(figsize=(7.5, 5), layout="constrained")
        axes = page.subplots()
        places = np.array([place(rows[name]) for name in fixed])
        axes.plot(places[:, 0], places[:, 1], "o-", color=INK, linewidth=1, markersize=3, label="fixed weights")
        for name, row in rows.items():
            x, y = place(row)
            if name not in fixed:
                errors = {"xerr": reach(row.counts["verification"]), "yerr": reach(row.counts["expression"])}
                color = COLORS[1] if name.startswith("dynamic") else COLORS[0]
                axes.errorbar(x, y, **errors, fmt="o", color=color, alpha=0.8, linewidth=0.5, markersize=4)
            text = name.removeprefix(FIXED) if name in fixed else name
            axes.annotate(text, (x, y), xytext=(4, 3), textcoords="offset points", fontsize=6)
        axes.set_xlabel("verification accuracy (%)")
        axes.set_ylabel("expression accuracy (%)")
        axes.legend()
        return svg_text(page)


def place(row: Any) -> tuple[float, float]:
    """Verification and expression accuracy, percent."""
    return 100 * row.counts["verification"].mean, 100 * row.counts["expression"].mean


def reach(counts: Counts) -> np.ndarray:
    """(2, 1): how far the 95 % interval reaches below and above a mean, points."""
    ends = np.percentile(resampled_means(counts), [2.5, 97.5])
    return 100 * np.abs(ends - counts.mean)[:, None]


def draw_weights(rows: Mapping[str, Any]) -> str:
    """The expression's share of the weights along the first training of each rule that moves them."""
    moving = [row for name, row in rows.items() if not name.startswith(FIXED) and not name.endswith(ALONE)]
    with matplotlib.rc_context(STYLE | {"font.size": 7}):
        num_columns = 5
        num_rows = -(-len(moving) // num_columns)
        page = Figure(figsize=(9, 1.3 * num_rows + 0.4), layout="constrained")
        panels = page.subplots(num_rows, num_columns, sharex=True, sharey=True, squeeze=False).flatten()
        for axes, row in zip(panels, moving, strict=False):
            weights = {task: np.array(values) for task, values in row.trainings[0]["weights"].items()}
            total = sum(weights.values())
            axes.plot(weights["expression"] / np.where(total == 0, 1, total), color=COLORS[1], linewidth=1)
            axes.set_title(row.name)
            axes.set_ylim(0, 1)
        for axes in panels[len(moving) :]:
            axes.set_axis_off()
        page.supxlabel("step")
        page.supylabel("share of the expression")
        return svg_text(page)
