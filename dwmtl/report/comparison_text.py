"""Compared experiments as Markdown, laid out for a terminal of 120 columns. Knows nothing of where they come from."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise

from dwmtl.report.comparison import ComparedExperiment, ComparedScore, OverSeeds
from dwmtl.report.template import cell
from dwmtl.scores.headlines import COMPARED

_WIDTH = 120
_SCORES = [f"{headline.column}, %" for headline in COMPARED]


def comparison_markdown(rows: Sequence[ComparedExperiment], reference: str, seeds: Sequence[OverSeeds] = ()) -> str:
    """A table with a row per experiment, a list of what differs, and a table of means over seeds where there are any.

    Args:
        reference: name of the reference.
    """
    blocks = [_table(["experiment", "weighting", "folds", *_SCORES], [_row(row) for row in rows])]
    if different := [row for row in rows if row.differences]:
        blocks += [
            f"What differs from {cell(reference)}:",
            "\n".join(_listed(f"{cell(row.name)}: {cell('; '.join(row.differences))}") for row in different),
        ]
    if seeds:
        blocks += [
            "Mean ± standard deviation over seeds (`train.seed`) alone:",
            _table(["seeds", "experiments", *_SCORES], [_row_over_seeds(group) for group in seeds]),
        ]
    return "\n\n".join(blocks) + "\n"


def _row(row: ComparedExperiment) -> list[str]:
    return [cell(row.name), row.weighting, _folds(row.folds), *(_score(score) for score in row.scores.values())]


def _score(score: ComparedScore | None) -> str:
    """`70.0 (50.0 to 90.0)`, percent."""
    if score is None:
        return "-"
    if score.low is None or score.high is None:
        return f"{100 * score.mean:.1f}"
    return f"{100 * score.mean:.1f} ({100 * score.low:.1f} to {100 * score.high:.1f})"


def _row_over_seeds(group: OverSeeds) -> list[str]:
    scores = [
        "-" if score is None else f"{100 * score[0]:.1f} ± {100 * score[1]:.1f}" for score in group.scores.values()
    ]
    return [", ".join(group.seeds), cell(", ".join(group.experiments)), *scores]


def _folds(text: str) -> str:
    """`0 to 9` for ten folds in a row, else the text."""
    numbers = text.split(", ")
    if len(numbers) < 3 or not all(number.isdecimal() for number in numbers):
        return text
    is_whole = all(int(after) - int(before) == 1 for before, after in pairwise(numbers))
    return f"{numbers[0]} to {numbers[-1]}" if is_whole else text


def _table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table whose columns stand below each other."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(_line(cells, widths) for cells in lines)


def _line(cells: list[str], widths: list[int]) -> str:
    padded: Iterator[str] = (text.ljust(width) for text, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def _listed(text: str) -> str:
    """An entry of a Markdown list; a name longer than a line is not broken."""
    return textwrap.fill(
        text, _WIDTH, initial_indent="- ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
