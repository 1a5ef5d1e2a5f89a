"""The scores over the folds in MLflow, and a copy of the report that also shows what changes at equal results."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from dwmtl.params import Params
from dwmtl.report.content import ReportContent
from dwmtl.report.page import write_pages
from dwmtl.report.summary import Summary, flat_scores
from dwmtl.report.this_run import MOST_EARLIER, ThisRun, compare
from dwmtl.scores.headlines import COMPARED
from dwmtl.tracking.log_summary import SUMMARIZED, log_summary, summary_sha256
from dwmtl.tracking.machine import commit, hardware
from dwmtl.tracking.run import Run


def log_report(run: Run, params: Params, content: ReportContent, *, plots: Path) -> None:
    """Log the scores and the copy to the experiment's run; nothing where the run is not logged.

    Args:
        plots: the folder `metrics/plots`.
    """
    if not run.is_logged:
        return
    summary = content.summary
    log_summary(run, params, summary, plots)
    this_run = _this_run(run, summary)
    with TemporaryDirectory() as folder:
        write_pages(content, Path(folder), this_run=this_run)
        run.log_folder(Path(folder), "report")
    run.set_tag(SUMMARIZED, summary_sha256(summary))


def _this_run(run: Run, summary: Summary) -> ThisRun:
    experiment, checked_out = run.own(), commit()
    earlier = run.earlier(COMPARED[0].key, most=MOST_EARLIER)
    return ThisRun(
        written=datetime.now(UTC),
        commit=checked_out.sha if checked_out else None,
        changed=checked_out.changed if checked_out else (),
        hardware=hardware(),
        times=run.fold_times(),
        earlier=compare(experiment, flat_scores(summary.scores), earlier) if experiment else [],
    )
