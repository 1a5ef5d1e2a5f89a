"""The comparison as tables and figures, from the records of its cells."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from differences import Counts, by_validation, counts_of, delta_m, difference, holm, tuned
from front import FIXED, draw_explanation, draw_front, draw_weights

from dwmtl.files import whole_folder
from dwmtl.report.figures import trajectories_svg
from dwmtl.stage import run

TASKS = {"expression": "expression_alone", "verification": "identity_alone"}
"""The scores, and the row that trains on that task alone."""

HEADER = (
    "| weighting | rate | expression | Δ (95 %) | p | verification | Δ (95 %) | p | Δm |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


@dataclass(frozen=True)
class Row:
    """A weighting on a data set with its learning rate: its counts by task, and the records of its trainings."""

    name: str
    counts: dict[str, Counts]
    trainings: list[Mapping]

    @property
    def scores(self) -> dict[str, float]:
        return {task: counts.mean for task, counts in self.counts.items()}


def main(results: Path, repeated: Path, explained: Path, figure_2: Path, out: Path, figures: Path) -> None:
    """Write a section per data set, and per data set whose rows were repeated (Markdown), and their figures (SVG)."""
    sections = []
    with whole_folder(figures) as folder:
        for of_set in sorted(path for path in results.iterdir() if path.is_dir()):
            first = {path.stem: tuned(trainings_of(path)) for path in sorted(of_set.glob("*.json"))}
            more = {path.stem: trainings_of(path) for path in sorted((repeated / of_set.name).glob("*.json"))}
            seeds = {name: first[name] + trainings for name, trainings in more.items()}
            for title, trainings in ((of_set.name, first), (f"{of_set.name}_repeated", seeds)):
                if trainings:
                    rows = {name: row_of(name, of_row) for name, of_row in trainings.items()}
                    sections.append(section(title, rows))
                    (folder / f"{title}_front.svg").write_text(draw_front(rows))
            (folder / f"{of_set.name}_weights.svg").write_text(draw_weights(first))
        for path in sorted(explained.glob("*.json")):
            of_set = json.loads(path.read_text())
            (folder / f"{path.stem}_explained.svg").write_text(draw_explanation(of_set["courses"], of_set["tasks"]))
        for path in sorted(figure_2.glob("*.json")):
            panels = {name: pd.DataFrame(course) for name, course in json.loads(path.read_text())["panels"].items()}
            (folder / f"{path.stem}_figure_2.svg").write_text(trajectories_svg(panels))
    out.write_text("\n".join(sections))


def trainings_of(record: Path) -> list[Mapping]:
    """The trainings of a record."""
    return json.loads(record.read_text())["trainings"]


def row_of(name: str, trainings: list[Mapping]) -> Row:
    """A row from its trainings, which have one learning rate."""
    return Row(name, {task: counts_of(trainings, task) for task in TASKS}, trainings)


def section(name: str, rows: dict[str, Row]) -> str:
    """A data set's table: percent, and differences in points against the tuned fixed ratio."""
    fixed = [row for name, row in rows.items() if name.startswith(FIXED)]
    reference = min(fixed, key=lambda row: by_validation(row.trainings))
    single = {task: rows[alone].scores[task] for task, alone in TASKS.items() if alone in rows}
    gaps = {
        task: {other: difference(row.counts[task], reference.counts[task]) for other, row in rows.items()}
        for task in TASKS
    }
    corrected = {
        task: holm({other: gap.p for other, gap in of_task.items() if other != reference.name})
        for task, of_task in gaps.items()
    }
    lines = [HEADER]
    for row in sorted(rows.values(), key=lambda row: (-row.scores["expression"], row.name)):
        cells = [f"`{row.name}`", f"{row.trainings[0]['learning_rate']:g}"]
        for task in TASKS:
            gap, is_reference = gaps[task][row.name], row is reference
            cells.append(f"{100 * row.scores[task]:.2f}")
            cells.append("" if is_reference else f"{gap.mean:+.2f} ({gap.low:+.2f} to {gap.high:+.2f})")
            cells.append("" if is_reference else f"{corrected[task][row.name]:.3f}")
        cells.append(f"{delta_m(row.scores, single):+.2f}" if len(single) == len(TASKS) else "")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([f"### {name}", "", summary(rows, reference, corrected), "", *lines, ""])


def summary(rows: dict[str, Row], reference: Row, corrected: dict[str, dict[str, float]]) -> str:
    """What was run, and how many rules differ beyond chance from the tuned fixed ratio."""
    trainings = reference.trainings
    seeds, folds = ({training[key] for training in trainings} for key in ("seed", "fold"))
    majority = sum(training["majority"] for training in trainings) / len(trainings)
    beyond = {
        f"{'better' if sign > 0 else 'worse'} in {task}": [
            name
            for name, p in corrected[task].items()
            if p < 0.05 and sign * (rows[name].scores[task] - reference.scores[task]) > 0
        ]
        for task in TASKS
        for sign in (1, -1)
    }
    told = "; ".join(f"{what}: {', '.join(f'`{name}`' for name in names) or 'none'}" for what, names in beyond.items())
    return (
        f"{number(len(rows), 'row')}, {number(len(seeds), 'seed')} × {number(len(folds), 'fold')} each. Δ: against "
        f"`{reference.name}`, the fixed ratio that is best on the validation subjects. p: of no difference, corrected "
        f"for {len(rows) - 1} rows (Holm). Δm: against training on each task alone, percent. Guessing the expression: "
        f"{100 * majority:.1f} %. In the last epoch the validation accuracy changed by {100 * last_change(rows):+.1f} "
        f"points, mean of all rows. Beyond chance (p < 0.05) {told}."
    )


def number(of: int, what: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{of} {what}{'' if of == 1 else 's'}"


def last_change(rows: dict[str, Row]) -> float:
    """How much the last epoch changed the validation accuracy, mean of all trainings: near 0, they were long enough."""
    curves = [training["validation"]["accuracy"] for row in rows.values() for training in row.trainings]
    return sum(curve[-1] - curve[-2] for curve in curves if len(curve) > 1) / len(curves)


if __name__ == "__main__":
    run(main)
