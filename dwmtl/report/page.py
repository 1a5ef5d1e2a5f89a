"""The pages over all folds: the report as HTML and as Markdown, and the model card.

Without a `ThisRun` they contain no time, host, commit or run id: the same metrics give the same bytes.
"""

from pathlib import Path

from dwmtl.files import write_text
from dwmtl.report.content import ReportContent
from dwmtl.report.figures import inline
from dwmtl.report.further_tasks import TITLES
from dwmtl.report.groups import MISUSES
from dwmtl.report.template import render
from dwmtl.report.this_run import ThisRun
from dwmtl.results import write_result
from dwmtl.scores.headlines import COMPARED

_PAGES = ("report.html", "report.md", "model_card.md")


def write_pages(content: ReportContent, folder: Path, *, this_run: ThisRun | None = None) -> None:
    """Write `report.html`, a page without other files; `report.md` with `figures/`; `model_card.md`;
    `verification.json`; `tasks.json` where there are further tasks, `groups.json` where `report.group` names a column.

    Args:
        this_run: facts that differ between runs with equal results; None: the same content gives the same bytes.
    """
    compared = [headline for headline in COMPARED if headline.key in content.summary.scores]
    fixed = {"compared": compared, "inline": inline, "groups_misuses": MISUSES, "measures": TITLES}
    for page in _PAGES:
        text = render(f"{page}.j2", **vars(content), **fixed, this_run=this_run)
        write_text(text, folder / page)
    write_result(content.verification, folder / "verification.json")
    if content.further_tasks is not None:
        write_result(content.further_tasks, folder / "tasks.json")
    if content.groups is not None:
        write_result(content.groups, folder / "groups.json")
    for figure in content.figures:
        write_text(figure.svg, folder / "figures" / f"{figure.name}.svg")
