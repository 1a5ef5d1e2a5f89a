"""The comparison as tables and figures, from the records of its cells."""

import json
from dataclasses import dataclass
from pathlib import Path

from differences import Counts, counts_of, delta_m, difference, holm
from front import draw_front, draw_weights

from dwmtl.files import whole_folder
from dwmtl.stage import run

TASKS = {"expression": "expression_alone", "verification": "identity_alone"}
"""The scores, and the row that trains on that task alone."""

HEADER = (
    "| weighting | rate, keep | expression | Δ (95 %) | p | verification | Δ (95 %) | p | Δm |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


@dataclass(frozen=True)
class Row:
    """A weighting on a data set: what was tuned, its counts by task, and the records of its trainings."""

    name: str
    tuned: dict
    counts: dict[str, Counts]
    trainings: list[dict]

    @property
    def scores(self) -> dict[str, float]:
        return {task: counts.mean for task, counts in self.counts.items()}


def main(results: Path, out: Path, figures: Path) -> None:
    """Write a section per data set (Markdown), and its figures (SVG)."""
    sections = []
    with whole_folder(figures) as folder:
        for of_set in sorted(path for path in results.iterdir() if path.is_dir()):
            if rows := read(of_set):
                sections.append(section(of_set.name, rows))
                (folder / f"{of_set.name}_front.svg").write_text(draw_front(rows))
                (folder / f"{of_set.name}_weights.svg").write_text(draw_weights(rows))
    out.write_text("\n".join(sections))


def read(of_set: Path) -> dict[str, Row]:
    """The rows of a data set whose folds have all been run, by name."""
    rows, num_folds = {}, max((len(list(path.glob("fold_*.json"))) for path in of_set.iterdir()), default=0)
    for folder in sorted(of_set.iterdir()):
        cells = [json.loads(path.read_text()) for path in sorted(folder.glob("fold_*.json"))]
        if cells and len(cells) == num_folds:
            trainings = [training for cell in cells for training in cell["trainings"]]
            counts = {task: counts_of(trainings, task) for task in TASKS}
            rows[folder.name] = Row(folder.name, cells[0]["tuned"], counts, trainings)
    return rows


def best_fixed(rows: dict[str, Row]) -> Row:
    """The fixed ratio that is best on the validation subjects, with which every rule is compared."""
    fixed = [row for name, row in rows.items() if name.startswith("fixed_")]
    return min(fixed, key=lambda row: (-row.tuned["validation_accuracy"], row.tuned["validation_loss"]))


def section(name: str, rows: dict[str, Row]) -> str:
    """A data set's table: percent, and differences in points against the tuned fixed ratio."""
    reference = best_fixed(rows)
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
    for row in sorted(rows.values(), key=lambda row: -row.scores["expression"]):
        cells = [f"`{row.name}`", f"{row.tuned['learning_rate']:g}, {row.tuned['keep']:g}"]
        for task in TASKS:
            gap, is_reference = gaps[task][row.name], row is reference
            cells.append(f"{100 * row.scores[task]:.2f}")
            cells.append("" if is_reference else f"{gap.mean:+.2f} ({gap.low:+.2f} to {gap.high:+.2f})")
            cells.append("" if is_reference else f"{corrected[task][row.name]:.3f}")
        cells.append(f"{delta_m(row.scores, single):+.2f}" if len(single) == len(TASKS) else "")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([f"### {name}", "", summary(rows, reference), "", *lines, ""])


def summary(rows: dict[str, Row], reference: Row) -> str:
    trainings = reference.trainings
    seeds, folds = ({training[key] for training in trainings} for key in ("seed", "fold"))
    majority = sum(training["majority"] for training in trainings) / len(trainings)
    return (
        f"{len(seeds)} seeds × {len(folds)} folds for each of {len(rows)} rows. Δ: against `{reference.name}`, the "
        f"fixed ratio that is best on the validation subjects. p: of no difference, corrected for {len(rows) - 1} rows "
        f"(Holm). Δm: against training on each task alone, percent. Guessing the expression: {100 * majority:.1f} %."
    )


if __name__ == "__main__":
    run(main)
