"""The figures: weights above losses, ROC, DET, distances, confusion, recall, embeddings. The owner of matplotlib.

Figures have a transparent background and mid-tone ink, readable on white and on black; a task has the same colour in
all of them. The same numbers give the same bytes.
"""

import io
from collections.abc import Sequence
from itertools import cycle
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from markupsafe import Markup, escape
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from dwmtl.report.verification_sets import Curve

COLORS = ("#3b8fd4", "#e0861a", "#2ea37a", "#b07cc6", "#cc5a6a", "#8a8f3c")
INK = "#7d838c"
_LOSSES = "task loss (nats)"
_LINES = [{"color": color, "linestyle": style} for style in ("-", "--", ":") for color in COLORS]
"""Of verification sets, which may be more than there are colours."""
_MARKERS = ("o", "s", "^", "v", "D", "P", "X")
_SHARE_RGB = (0.12, 0.42, 0.70)
"""Colour of a confusion matrix's cells; a cell's opacity is its share, so that an empty cell is transparent."""
STYLE: dict[Any, object] = {
    "svg.hashsalt": "dwmtl",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.5,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
    "axes.grid": True,
    "grid.color": INK,
    "grid.alpha": 0.15,
}
"""matplotlib's settings of every figure."""


def trajectory_svg(trajectory: pd.DataFrame, *, loss_label: str = _LOSSES) -> str:
    """The paper's Figure 2: task weights above, task losses below, against the step.

    Args:
        trajectory: columns `step`, `weight_<task>`, `loss_<task>` and, if the training had it, `keep_loss`; a row per
            step.
        loss_label: of the axis of the losses.
    Returns:
        The text of an SVG picture, as of every function here.
    """
    return trajectories_svg({"": trajectory}, loss_label=loss_label)


def trajectories_svg(trajectories: dict[str, pd.DataFrame], *, loss_label: str = _LOSSES) -> str:
    """The trajectories of several trainings side by side, each under its name."""
    tasks = [c.removeprefix("weight_") for c in next(iter(trajectories.values())) if c.startswith("weight_")]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(0.2 + 4.4 * len(trajectories), 4.4), layout="constrained")
        panels = figure.subplots(2, len(trajectories), sharex="col", sharey="row", squeeze=False)
        for (name, trajectory), above, below in zip(trajectories.items(), *panels, strict=True):
            for task, color in zip(tasks, cycle(COLORS), strict=False):
                _smoothed(above, trajectory["step"], trajectory[f"weight_{task}"], task, color)
                _smoothed(below, trajectory["step"], trajectory[f"loss_{task}"], task, color)
            if "keep_loss" in trajectory:
                _smoothed(below, trajectory["step"], trajectory["keep_loss"], "keep, 1 - cos", INK)
                below.legend(handles=below.lines[-1:], loc="upper right")
            above.set(ylim=(0, 1), title=name)
            below.set(xlabel="step", yscale="log")
        panels[0][0].set_ylabel("task weight")
        panels[1][0].set_ylabel(loss_label)
        panels[0][-1].legend(loc="upper right", ncols=len(tasks))
        return svg_text(figure)


def roc_svg(curves: dict[str, list[tuple[np.ndarray, np.ndarray]]]) -> str:
    """ROC of each set of pairs, by its name -> (far, tar) of every fold; the folds faint, their mean strong."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 4.2), layout="constrained")
        axes = figure.subplots()
        grid = np.linspace(0, 1, 501)
        for (name, folds), color in zip(curves.items(), COLORS[2:], strict=False):
            for far, tar in folds:
                axes.plot(far, tar, color=color, alpha=0.25, linewidth=0.8)
            axes.plot(grid, mean_roc(folds, grid), color=color, linewidth=1.8, label=name)
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":", label="chance")
        axes.set(xlabel="false accept rate", ylabel="true accept rate", xlim=(0, 1), ylim=(0, 1.01))
        axes.legend(loc="lower right")
        return svg_text(figure)


def roc_log_svg(curves: dict[str, Curve]) -> str:
    """ROC of each verification set, the false accept rate logarithmic; the folds faint, their mean strong."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 4.2), layout="constrained")
        axes = figure.subplots()
        for (name, curve), line in zip(curves.items(), cycle(_LINES), strict=False):
            _folds_and_mean(axes, curve.far, curve.tars, name, line)
        axes.set(xlabel="false accept rate", ylabel="true accept rate", xscale="log", ylim=(0, 1.01))
        axes.legend(loc="lower right")
        return svg_text(figure)


def det_svg(curves: dict[str, Curve]) -> str:
    """Detection error trade-off of each verification set: the miss rate, 1 - TAR, against the false accept rate.

    Both axes are logarithmic, as in NIST's face recognition evaluations; where no genuine pair is missed, half a pair
    is drawn. Source: Martin et al. 1997 (Eurospeech), with normal deviates as axes.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 4.2), layout="constrained")
        axes = figure.subplots()
        for (name, curve), line in zip(curves.items(), cycle(_LINES), strict=False):
            misses = [np.maximum(1 - tar, 0.5 / curve.num_genuine) for tar in curve.tars]
            _folds_and_mean(axes, curve.far, misses, name, line)
        axes.set(xlabel="false accept rate", ylabel="miss rate", xscale="log", yscale="log")
        axes.legend(loc="upper right")
        return svg_text(figure)


def mean_roc(folds: list[tuple[np.ndarray, np.ndarray]], grid: np.ndarray) -> np.ndarray:
    """Mean over the folds of the true accept rate at false accept rates, linear between a fold's points."""
    return np.mean([np.interp(grid, far, tar) for far, tar in folds], axis=0)


def distances_svg(pairs: pd.DataFrame) -> str:
    """Histogram of the distances of genuine and impostor pairs, with the range of the folds' thresholds."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 3.0), layout="constrained")
        axes = figure.subplots()
        bins = np.linspace(0, max(pairs["distance"].max(), 1e-6), 41)
        for is_same, name, color in ((True, "same person", COLORS[0]), (False, "other people", COLORS[4])):
            axes.hist(
                pairs.loc[pairs["is_same_identity"] == is_same, "distance"],
                bins.tolist(),
                color=color,
                alpha=0.55,
                label=name,
            )
        axes.axvspan(pairs["threshold"].min(), pairs["threshold"].max(), color=INK, alpha=0.2, label="thresholds")
        axes.set(xlabel="distance of the embeddings (lower = closer)", ylabel="pairs")
        axes.locator_params(axis="y", integer=True)
        axes.legend()
        return svg_text(figure)


def confusion_svg(actual: pd.Series, predicted: pd.Series) -> str:
    """Confusion matrix: counts, coloured by the share of the row."""
    classes = sorted(set(actual) | set(predicted))
    counts = pd.crosstab(actual, predicted).reindex(index=classes, columns=classes, fill_value=0).to_numpy()
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with matplotlib.rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(5.0, 4.4), layout="constrained")
        axes = figure.subplots()
        cmap = LinearSegmentedColormap.from_list("share", [(*_SHARE_RGB, 0.0), (*_SHARE_RGB, 1.0)])
        axes.pcolormesh(share, cmap=cmap, vmin=0, vmax=1, edgecolors=INK, linewidth=0.2)
        for row, column in np.ndindex(*counts.shape):
            ink = "white" if share[row, column] > 0.55 else INK
            axes.text(column + 0.5, row + 0.5, str(counts[row, column]), ha="center", va="center", color=ink)
        places = np.arange(len(classes)) + 0.5
        axes.set_xticks(places, classes, rotation=35, ha="right")
        axes.set_yticks(places, classes)
        axes.invert_yaxis()
        axes.set(xlabel="predicted", ylabel="actual")
        return svg_text(figure)


def recall_svg(pooled: dict[str, float], per_fold: dict[str, list[float | None]]) -> str:
    """Recall of each class as a bar, of all folds together, with a point per fold.

    Args:
        pooled: class -> the share of its photos that is classified correctly.
        per_fold: the same of each fold; None for a fold without the class.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 0.9 + 0.36 * len(pooled)), layout="constrained")
        axes = figure.subplots()
        places = np.arange(len(pooled))
        axes.barh(places, list(pooled.values()), color=COLORS[0], alpha=0.55, height=0.62)
        for place, values in zip(places, per_fold.values(), strict=True):
            known = [value for value in values if value is not None]
            axes.plot(known, [place] * len(known), "o", color=INK, markersize=4)
        axes.set_yticks(places, list(pooled))
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set(xlabel="recall: share classified correctly", xlim=(0, 1.02))
        return svg_text(figure)


def learning_svg(folds: Sequence[tuple[np.ndarray, pd.DataFrame]]) -> str:
    """Validation over training, by epoch: losses above, validation accuracy below; folds faint, their mean strong.

    Args:
        folds: the mean training loss of the expression task in each epoch, and `validation.csv`, of every fold.
    """
    num_epochs = min(min(len(losses), len(validation)) for losses, validation in folds)
    epochs = np.arange(1, num_epochs + 1)
    lines = (
        ("training", COLORS[1], [losses[:num_epochs] for losses, _ in folds]),
        ("validation", COLORS[2], [validation["loss"].to_numpy()[:num_epochs] for _, validation in folds]),
    )
    accuracies = [validation["accuracy"].to_numpy()[:num_epochs] for _, validation in folds]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 4.4), layout="constrained")
        above, below = figure.subplots(2, sharex=True)
        for name, color, values in lines:
            _folds_and_mean(above, epochs, values, name, {"color": color, "drawstyle": "default"})
        _folds_and_mean(below, epochs, accuracies, "validation", {"color": COLORS[2], "drawstyle": "default"})
        above.set(ylabel="expression loss (nats)")
        figure.legend(handles=above.get_legend_handles_labels()[0], loc="outside upper center", ncols=2)
        below.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1.02))
        below.locator_params(axis="x", integer=True)
        return svg_text(figure)


def embeddings_svg(points: pd.DataFrame, by: str) -> str:
    """Photos in the plane of their embeddings, a colour and a shape per value of a column.

    Args:
        points: columns `x`, `y` and `by`; a row per photo.
        by: `expression`, with a legend; or `subject`, of whom there may be many, without.
    """
    values = sorted(set(points[by]))
    looks = [(color, marker) for marker in _MARKERS for color in COLORS]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 4.4), layout="constrained")
        axes = figure.subplots()
        for value, (color, marker) in zip(values, cycle(looks), strict=False):
            of_value = points[points[by] == value]
            axes.plot(of_value["x"], of_value["y"], marker, color=color, alpha=0.75, markersize=5, label=value)
        axes.set(xlabel="first principal component", ylabel="second", aspect="equal", adjustable="datalim")
        axes.locator_params(nbins=5)
        if by == "expression":
            figure.legend(loc="outside upper center", ncols=3, handletextpad=0.1, columnspacing=1.0)
        return svg_text(figure)


def inline(svg: str, label: str) -> Markup:
    """An SVG picture for use inside a page: without the prologue of a file, in the colour of the surrounding text.

    Args:
        label: what a screen reader says in its place.
    """
    picture = svg[svg.index("<svg") :].replace(INK, "currentColor")
    return Markup(picture.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1))


def _folds_and_mean(axes, x: np.ndarray, folds: list[np.ndarray], name: str, line: dict[str, str]) -> None:
    """Steps, if the line does not say otherwise: between two points of a ROC there is none."""
    line = {"drawstyle": "steps-post"} | line
    for values in folds:
        axes.plot(x, values, **line, alpha=0.25, linewidth=0.8)
    axes.plot(x, np.mean(folds, axis=0), **line, linewidth=1.8, label=name)


def _smoothed(axes, steps: pd.Series, values: pd.Series, name: str, color: str) -> None:
    """The raw line faint, its running mean over a twentieth of the steps strong."""
    axes.plot(steps, values, color=color, alpha=0.3, linewidth=0.8)
    mean = values.rolling(max(1, len(values) // 20), min_periods=1, center=True).mean()
    axes.plot(steps, mean, color=color, linewidth=1.8, label=name)


def svg_text(figure: Figure) -> str:
    """The text of an SVG picture of a figure: no date, so that the same figure gives the same bytes."""
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"
