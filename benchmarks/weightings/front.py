"""The comparison's figures: the front of the fixed weights with every rule beside it; the weights that rules give; the
tasks' gradients."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from differences import Counts, resampled_means
from matplotlib.figure import Figure

from dwmtl.report.figures import COLORS, INK, STYLE, svg_text

FIXED = "fixed_"
FAR_BELOW = 5.0
"""Points of expression below the lowest fixed ratio: a panel with such rows would not show the others apart."""
ALONE = "_alone"


def draw_front(rows: Mapping[str, Any]) -> str:
    """Expression against verification accuracy, percent: fixed ratios joined in their order, other rules as numbered
    points, each with the learning rate that is best for it; rows far below are named at the foot."""
    fixed = sorted((name for name in rows if name.startswith(FIXED)), key=lambda name: int(name.removeprefix(FIXED)))
    front = np.array([place(rows[name]) for name in fixed])
    others = sorted((name for name in rows if name not in fixed), key=lambda name: (-place(rows[name])[1], name))
    with matplotlib.rc_context(STYLE | {"font.size": 8}):
        page = Figure(figsize=(8, 5.5), layout="constrained")
        axes = page.subplots()
        axes.plot(*front.T, "o-", color=INK, linewidth=1, markersize=3, label="fixed weights, % of the expression")
        for name, at in zip(fixed, front, strict=True):
            axes.annotate(name.removeprefix(FIXED), at, xytext=(3, 3), textcoords="offset points", fontsize=6)
        below = []
        for number, name in enumerate(others, start=1):
            (x, y), counts = place(rows[name]), rows[name].counts
            if y < front[:, 1].min() - FAR_BELOW:
                below.append(f"{name} ({x:.1f}, {y:.1f})")
                continue
            color = COLORS[1] if name.startswith("dynamic") else COLORS[0]
            reaches = {"xerr": reach(counts["verification"]), "yerr": reach(counts["expression"])}
            axes.errorbar(x, y, **reaches, fmt="o", color=color, linewidth=0.3, markersize=3, label=f"{number} {name}")
            axes.annotate(str(number), (x, y), xytext=(3, -7), textcoords="offset points", fontsize=6, color=color)
        axes.set_xlabel("verification accuracy (%)" + (f"\nfar below: {', '.join(below)}" if below else ""))
        axes.set_ylabel("expression accuracy (%)")
        page.legend(loc="outside right upper", fontsize=6)
        return svg_text(page)


def place(row: Any) -> tuple[float, float]:
    """Verification and expression accuracy, percent."""
    return 100 * row.counts["verification"].mean, 100 * row.counts["expression"].mean


def reach(counts: Counts) -> np.ndarray:
    """(2, 1): how far the 95 % interval reaches below and above a mean, points."""
    ends = np.percentile(resampled_means(counts), [2.5, 97.5])
    return 100 * np.abs(ends - counts.mean)[:, None]


def draw_weights(trainings: Mapping[str, Sequence[Mapping]]) -> str:
    """The expression's share of the weights along the first training of each rule that moves them."""
    moving = {name: of[0] for name, of in trainings.items() if not name.startswith(FIXED) and not name.endswith(ALONE)}
    with matplotlib.rc_context(STYLE | {"font.size": 7}):
        num_columns = 5
        num_rows = -(-len(moving) // num_columns)
        page = Figure(figsize=(9, 1.3 * num_rows + 0.4), layout="constrained")
        panels = page.subplots(num_rows, num_columns, sharex=True, sharey=True, squeeze=False).flatten()
        for axes, (name, training) in zip(panels, moving.items(), strict=False):
            weights = {task: np.array(values) for task, values in training["weights"].items()}
            total = sum(weights.values())
            axes.plot(weights["expression"] / np.where(total == 0, 1, total), color=COLORS[1], linewidth=1)
            axes.set_title(name)
            axes.set_ylim(0, 1)
        for axes in panels[len(moving) :]:
            axes.set_axis_off()
        page.supxlabel("step")
        page.supylabel("share of the expression")
        return svg_text(page)


def draw_explanation(courses: Mapping[str, Mapping], tasks: Sequence[str]) -> str:
    """A column per weighting: task weights, task losses, norms of the tasks' gradients, and the gradients' cosine."""
    with matplotlib.rc_context(STYLE | {"font.size": 7}):
        page = Figure(figsize=(2.3 * len(courses), 6), layout="constrained")
        panels = page.subplots(4, len(courses), sharex=True, sharey="row", squeeze=False)
        for column, (name, course) in zip(panels.T, courses.items(), strict=True):
            steps = [measured["step"] for measured in course["gradients"]]
            for axes, values in zip(column, (course["weights"], course["losses"]), strict=False):
                lines = axes.plot(values, linewidth=1)
                _color(lines, tasks)
            _color(column[2].plot(steps, [measured["norms"] for measured in course["gradients"]], linewidth=1), tasks)
            column[2].set_yscale("log")
            column[3].plot(steps, [measured["cosine"] for measured in course["gradients"]], color=INK, linewidth=1)
            column[3].axhline(0, color=INK, linewidth=0.5)
            column[0].set_title(name)
        for axes, label in zip(
            panels[:, 0], ("task weight", "task loss (nats)", "norm of gradient", "cosine"), strict=True
        ):
            axes.set_ylabel(label)
        panels[0, 0].legend()
        page.supxlabel("step")
        return svg_text(page)


def _color(lines: Sequence[Any], tasks: Sequence[str]) -> None:
    for line, task, color in zip(lines, tasks, COLORS, strict=False):
        line.set(color=color, label=task)
