import re
import runpy
from pathlib import Path

import pandas as pd
import pytest

from dwmtl.report.content import report_content
from dwmtl.report.page import write_pages
from dwmtl.tables import write_table

REPOSITORY = Path(__file__).resolve().parents[3]
small_world = runpy.run_path(str(REPOSITORY / "tests/unit/small_world.py"))
folds_of = small_world["folds_of"]
content_of = small_world["content_of"]
write = small_world["write"]
this_run = small_world["this_run"]


@pytest.fixture
def world(tmp_path):
    return small_world["make_world"](tmp_path)


@pytest.fixture(scope="module")
def unchanged(module_path):
    """A world that no test changes, for what is read of its pages."""
    return small_world["make_world"](module_path)


@pytest.fixture(scope="module")
def report(unchanged) -> Path:
    """Its pages."""
    return write(unchanged, "report")


def test_the_copy_shows_what_changes_at_equal_results_and_the_report_does_not(world):
    content = content_of(world)
    write_pages(content, world[0] / "report")
    write_pages(content, world[0] / "copy", this_run=this_run())
    report, copy = ((world[0] / name / "report.html").read_text() for name in ("report", "copy"))
    told = ["2026-01-02 03:04 UTC", "cdcdcdcdcdcd", "and 2 more files", "AMD EPYC &lt;9&gt;", "train 1 h 2 min"]
    told += ["evaluate 1 min 1 s", "(+10.0)", "(-2.0)", "other pairs", "Compared with earlier experiments"]
    assert [text for text in told if text not in copy] == []
    assert [text for text in told if text in report] == []


def test_the_sets_and_their_cards_cautions_are_told_once_each(report):
    page = (report / "report.html").read_text()
    assert page.count("Said of every set.") == 1
    assert "<strong>expression, verification, identity:</strong> Said of every set." in page
    assert "<code>identity.jpg</code> is &lt;odd&gt;." in page


def test_the_three_scores_at_the_top_stand_with_interval_and_chance(unchanged, report):
    summary = small_world["summary_of"](unchanged[0])
    top = (report / "report.html").read_text().split('<div class="key">')[1].split("<h2>")[0]
    for name in ("expression_accuracy", "verification_accuracy", "authentication_accuracy"):
        assert f"<b>{100 * summary.scores[name].mean:.1f} %</b>" in top
        assert f"chance {100 * summary.chance[name]:.1f} %" in top
    assert top.count("95 % interval") == 3


def test_what_was_gained_over_the_start_stands_on_both_pages(report):
    html, text = (report / "report.html").read_text(), (report / "report.md").read_text()
    assert "| gained by the training, points | +50.0 | +50.0 to +100.0 | +50.0 | +50.0 |\n" in text
    assert "| accuracy of the start, `pretrain` | 50.0 % | 0.0 to 50.0 % | | |\n" in text
    row = html.split("Gained by the training, points</td>")[1].split("</tr>")[0]
    assert re.findall(r"[+-]\d+\.\d", row) == ["+50.0", "+50.0", "+100.0", "+50.0", "+50.0"]


def test_the_page_needs_nothing_beside_it(report):
    page = (report / "report.html").read_text()
    assert page.count("<figure") == 12  # two trajectories, three ROC and DET, two distances, five on expression
    assert page.count("<svg") == 12
    assert not re.findall(r"src=[\"'](?!data:)", page)
    assert set(re.findall(r"href=[\"']([^#\"']+)", page)) == {
        *(f"../data_card/{role}/card.md" for role in ("expression", "verification", "identity")),
        "model_card.md",
    }  # files of the checkout, opened on a click
    assert "@import" not in page
    assert "prefers-color-scheme: dark" in page
    assert "S0/<wbr>happiness.jpg" in page  # the wrong expression, as a picture
    assert "data:image/jpeg;base64," in page


def test_the_markdown_names_figures_that_are_there(report):
    figures = re.findall(r"\]\((figures/[^)]+)\)", (report / "report.md").read_text())
    assert len(figures) == 12
    assert all((report / figure).is_file() for figure in figures)


def test_the_same_outcome_gives_the_same_bytes(unchanged, report):
    again = write(unchanged, "again")
    files = [path.relative_to(report) for path in report.rglob("*") if path.is_file()]
    assert files
    assert all((report / file).read_bytes() == (again / file).read_bytes() for file in files)


def test_names_from_a_data_set_cannot_write_into_the_page(world):
    folder, _ = world
    for fold in (0, 1):
        path = folder / f"evaluation/fold_{fold}/predictions.csv"
        path.write_text(path.read_text().replace("happiness,surprise", "happiness,<script>alert(1)</script>"))
    assert "<script>" not in (write(world, "report") / "report.html").read_text()


def test_every_false_accept_rate_asked_for_has_a_row(unchanged, report):
    page = (report / "report.html").read_text()
    assert [f"VAL at FAR {target:g}" in page for target in unchanged[1].evaluate.far_targets] == [True, True]


def test_both_sets_show_mistakes_and_two_people_show_once(world):
    folder, _ = world
    for fold in (0, 1):
        path = folder / f"evaluation/fold_{fold}/pairs.csv"
        pairs = pd.read_csv(path)
        pairs["is_verified"] = ~pairs["is_same_identity"]  # everything wrong
        write_table(pairs, path)
    page = (write(world, "report") / "report.html").read_text()
    names = re.findall(r"([\w/.]+) · ([\w/.]+)</div>", page.replace("<wbr>", ""))
    own = [frozenset((a.split("/")[0], b.split("/")[0])) for a, b in names if a[0] == "S"]
    assert len(own) == len(set(own)) == 3
    assert [pair for pair in names if pair[0][0] == "A"]


def test_the_report_gives_the_best_epoch_beside_the_last(report):
    for page in ("report.md", "report.html"):
        assert "epoch 2 in fold 0, epoch 2 in fold 1" in (report / page).read_text()
    assert (
        "| Expression: accuracy | 93.8 % | 100.0 % | 100.0 to 100.0 % | 100.0 % | 100.0 % |"
        in (report / "report.md").read_text()
    )
    row = (report / "report.html").read_text().split("best one on validation subjects")[1].split("</tr>")[1]
    assert re.findall(r"<strong>(.*?)</strong>", row) == ["100.0 %"]  # the higher of the two


def test_one_fold_has_no_deviation(unchanged, report):
    folder, params = unchanged
    content = report_content(
        folds_of(folder)[:1],
        small_world["start_of"](folder),
        params,
        aligned_dir=folder / "aligned",
        labels_dir=folder / "labels",
        cards_dir=folder / "cards",
        verification_dir=folder / "index",
    )
    write_pages(content, folder / "one")
    for page in ("report.html", "report.md", "model_card.md"):
        one, two = ((pages / page).read_text() for pages in (folder / "one", report))
        assert not re.search(r"± \d", one), page
        assert re.search(r"± \d", two), page
    for page in ("report.html", "report.md"):
        assert re.search(r" weighting( ·|;) fold 0( ·|;)", (folder / "one" / page).read_text()), page


def test_the_joint_accuracy_stands_with_its_error_rates(unchanged, report):
    summary = small_world["summary_of"](unchanged[0])
    top = (report / "report.html").read_text().split('<div class="key">')[1].split("<h2>")[0]
    far, frr = (f"{100 * summary.scores[f'authentication_{rate}'].mean:.1f} %" for rate in ("far", "frr"))
    assert f"FAR {far}, FRR {frr}" in top
