"""The report's page in a real browser: everything is drawn, nothing is fetched, and it fits a phone."""

import html
import json
import re
import runpy
import subprocess
from pathlib import Path

import pytest

from dwmtl.report.page import write_pages

REPOSITORY = Path(__file__).resolve().parents[2]
headless = runpy.run_path(str(REPOSITORY / ".ci/chromium.py"))["headless"]

FACTS = """
<script>
addEventListener("load", () => {
  const box = element => element.getBoundingClientRect();
  const facts = {
    figures: [...document.querySelectorAll("figure")].map(figure => figure.id),
    drawn: [...document.querySelectorAll("figure > svg")].filter(svg => box(svg).width > 100 && box(svg).height > 100).length,
    shapes: Math.min(...[...document.querySelectorAll("figure > svg")].map(svg => svg.querySelectorAll("path").length)),
    scores: [...document.querySelectorAll(".key b")].map(score => score.textContent),
    images: document.images.length,
    broken: [...document.images].filter(image => !image.complete || image.naturalWidth === 0).length,
    requests: performance.getEntriesByType("resource").map(entry => entry.name.slice(0, 60)),
    ground: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.body).color,
    width: document.documentElement.clientWidth,
    needed: document.documentElement.scrollWidth,
  };
  top.document.body.insertAdjacentHTML("beforeend", "<pre id='facts'></pre>");
  top.document.getElementById("facts").textContent = JSON.stringify(facts);
});
</script>
"""  # noqa: E501


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    """The report of the small world made by hand, and its copy for MLflow."""
    made = runpy.run_path(str(REPOSITORY / "tests/unit/small_world.py"))
    folder = tmp_path_factory.mktemp("world")
    content = made["content_of"](made["make_world"](folder))
    write_pages(content, folder / "report")
    write_pages(content, folder / "copy", this_run=made["this_run"]())
    return {name: folder / name / "report.html" for name in ("report", "copy")}


@pytest.fixture(scope="module")
def page(pages) -> Path:
    return pages["report"]


def opened(browser: str, page: Path, folder: Path, *options: str, width_px: int | None = None) -> dict[str, object]:
    """What a script finds in a copy of the page once it is loaded, in a browser without a network.

    Args:
        width_px: lay the page out in a frame of this width; a window has at least 500.
    """
    text = page.read_text(encoding="utf-8").replace("</body>", f"{FACTS}</body>")
    if width_px is not None:
        text = f'<!doctype html><iframe width="{width_px}" height="800" srcdoc="{html.escape(text)}"></iframe>'
    copy = folder / "page.html"
    copy.write_text(text, encoding="utf-8")
    command = headless(browser, folder / "profile", *options, "--dump-dom", copy.as_uri())
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    facts = re.search(r"<pre id=\"facts\">(.*?)</pre>", done.stdout)
    assert facts, done.stderr[-2000:]
    return json.loads(html.unescape(facts[1]))


def luminance(color: str) -> float:
    red, green, blue = (int(part) for part in re.findall(r"\d+", color)[:3])
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def test_every_figure_is_drawn_and_no_picture_is_broken(browser, page, tmp_path):
    facts = opened(browser, page, tmp_path, "--window-size=1200,900")
    assert facts["figures"] == [
        "trajectory_fold_0",
        "trajectory_fold_1",
        "roc",
        "roc_log",
        "det",
        "distances_expression",
        "distances_verification",
        "confusion",
        "recall",
        "learning",
        "embeddings_by_subject",
        "embeddings_by_expression",
    ]
    assert facts["drawn"] == 12
    assert len(facts["scores"]) == 3
    assert all(re.fullmatch(r"\d+\.\d %", score) for score in facts["scores"])
    assert facts["shapes"] > 10
    assert facts["images"] > 0
    assert facts["broken"] == 0


def test_the_page_asks_for_nothing_but_itself(browser, page, tmp_path):
    requests = opened(browser, page, tmp_path)["requests"]
    assert [request for request in requests if not request.startswith("data:")] == []
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"(?:src|srcset|poster|action|data)=[\"'](?!data:)[^\"']*", text) == []
    assert re.findall(r"<(?!a\b)[^>]*\bhref=[\"'](?!#|data:)[^\"']*", text) == []  # links apart, and within the page
    assert re.findall(r"url\((?![\"']?(?:#|data:))|@import", text) == []


@pytest.mark.parametrize(("scheme", "is_dark"), [(0, True), (1, False)], ids=["dark", "light"])
def test_the_page_follows_the_readers_light_or_dark(browser, page, tmp_path, scheme, is_dark):
    facts = opened(browser, page, tmp_path, f"--blink-settings=preferredColorScheme={scheme}")
    assert (luminance(facts["ground"]) < 0.2) == is_dark
    assert abs(luminance(facts["ground"]) - luminance(facts["ink"])) > 0.6


@pytest.mark.parametrize("name", ["report", "copy"])
def test_the_page_fits_a_phone(browser, pages, tmp_path, name):
    facts = opened(browser, pages[name], tmp_path, width_px=390)
    assert facts["width"] == 390
    assert facts["needed"] <= 390
