"""A bar in a terminal, lines in a log."""

import logging
import os
import pty
import subprocess
import sys
import termios

import pytest

from dwmtl import progress
from dwmtl.progress import Progress, log_lines_above_bars

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


def test_an_unknown_total_is_named_so(caplog, every_update):
    with caplog.at_level(logging.INFO), Progress(desc="weights.pt", unit="B") as bar:
        bar.update(10)
    assert caplog.messages == ["weights.pt: 10 of unknown B"]


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
