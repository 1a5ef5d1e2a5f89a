"""A bar in a terminal, lines in a log."""

import logging
import os
import pty
import subprocess
import sys
import termios

import pytest

from dwmtl import progress
from dwmtl.progress import Progress, about, log_lines_above_bars

LOOP = """
import logging, time
from dwmtl.progress import Progress
logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
for _ in Progress(range(3), desc="align", unit="photo"):
    time.sleep(0.2)
"""


@pytest.fixture
def every_update(monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)


def test_a_log_has_a_line_for_every_interval(caplog, capsys, every_update):
    with caplog.at_level(logging.INFO), Progress(total=7, desc="align", unit="photo") as bar:
        bar.update(2)
        bar.update(5)
    assert [record.message for record in caplog.records] == ["align: 2 of 7 photo", "align: 7 of 7 photo"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("num_bars", [1, 3])
def test_a_stages_log_has_a_line_for_every_interval_of_every_bar_and_nothing_else(capsys, every_update, num_bars):
    """tqdm's own handler would draw every bar again after each line, which would log a line, without end."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    bars = [Progress(total=2, desc=f"bar {number}", unit="photo") for number in range(num_bars)]
    with log_lines_above_bars():
        for _ in range(2):
            for bar in bars:
                bar.update(1)
    for bar in bars:
        bar.close()
    expected = [f"bar {number}: {done} of 2 photo" for done in (1, 2) for number in range(num_bars)]
    assert capsys.readouterr().err.splitlines() == expected


def test_a_loop_shorter_than_the_interval_leaves_nothing_in_a_log(caplog, capsys):
    with caplog.at_level(logging.INFO):
        assert list(Progress(range(100), desc="align", unit="photo")) == list(range(100))
    assert caplog.text == ""
    assert capsys.readouterr().err == ""


def test_what_was_done_before_is_no_progress(caplog, every_update):
    with caplog.at_level(logging.INFO), Progress(total=9, initial=5, desc="train", unit="img") as bar:
        bar.update(1)
    assert caplog.messages == ["train: 6 of 9 img"]


@pytest.fixture
def clock(monkeypatch):
    """Seconds of a clock that a test sets; each update is logged."""
    seconds = [0.0]
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    monkeypatch.setattr(progress, "monotonic", lambda: seconds[0])
    return seconds


def test_a_line_says_how_long_the_rest_takes_from_the_second_on(caplog, clock):
    with caplog.at_level(logging.INFO), Progress(total=1000, desc="align", unit="photo") as bar:
        for clock[0], num in ((30.0, 100), (60.0, 100), (960.0, 300), (1860.0, 500)):
            bar.update(num)
    assert caplog.messages == [
        "align: 100 of 1000 photo",
        "align: 200 of 1000 photo, about 4 min left",
        "align: 500 of 1000 photo, about 19 min left",
        "align: 1000 of 1000 photo",
    ]


def test_what_was_finished_before_the_loop_makes_no_estimate_shorter(caplog, clock):
    """A resumed alignment counts its finished photos at once."""
    with caplog.at_level(logging.INFO), Progress(total=10_000, desc="align", unit="photo") as bar:
        for clock[0], num in ((0.0, 5000), (30.0, 10), (60.0, 10)):
            bar.update(num)
    assert caplog.messages[-1] == "align: 5020 of 10000 photo, about 4 h 9 min left"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "less than a minute"),
        (29, "less than a minute"),
        (31, "about 1 min"),
        (3599, "about 1 h 0 min"),
        (3900, "about 1 h 5 min"),
        (180_000, "about 50 h 0 min"),
    ],
)
def test_an_estimate_is_rounded_to_minutes(seconds, text):
    assert about(seconds) == text


def test_an_unknown_total_is_named_so(caplog, every_update):
    with caplog.at_level(logging.INFO), Progress(desc="weights.pt", unit="B") as bar:
        bar.update(10)
        bar.update(10)
    assert caplog.messages == ["weights.pt: 10 of unknown B", "weights.pt: 20 of unknown B"]


def test_a_terminal_has_a_bar():
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    with subprocess.Popen([sys.executable, "-c", LOOP], stderr=theirs) as process:
        assert process.wait() == 0
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "100%" in shown
    assert "3/3" in shown
    assert "INFO" not in shown
