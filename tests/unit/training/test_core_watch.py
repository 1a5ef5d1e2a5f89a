"""The watch over the cores of a training."""

import logging
import os
import subprocess
import sys
from time import monotonic

import pytest

from dwmtl.training import core_watch
from dwmtl.training.core_watch import WINDOW_S, CoreWatch, waited_for_core_s


class Clock:
    """Time and waiting that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.now, self.waited = 100.0, 5.0
        monkeypatch.setattr(core_watch, "monotonic", lambda: self.now)
        monkeypatch.setattr(core_watch, "waited_for_core_s", lambda: self.waited)
        monkeypatch.setattr(core_watch.torch, "get_num_threads", lambda: 2)

    def pass_window(self, watch: CoreWatch, *, share: float | None) -> None:
        """Let a window pass, of which the two threads waited this share; None: the system does not say."""
        self.now += WINDOW_S
        self.waited = None if share is None else self.waited + 2 * share * WINDOW_S
        watch.look()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def watch_that_has_looked() -> CoreWatch:
    watch = CoreWatch()
    watch.look()
    return watch


def test_threads_that_wait_for_a_core_are_warned_of_once(clock, caplog):
    watch = watch_that_has_looked()
    clock.pass_window(watch, share=0.5)
    clock.pass_window(watch, share=0.6)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "this training's 2 threads waited for a core 50 % of the last 30 s" in record.getMessage()
    assert "OMP_NUM_THREADS" in record.getMessage()


def test_other_work_that_comes_later_is_warned_of(clock, caplog):
    watch = watch_that_has_looked()
    clock.pass_window(watch, share=0.01)
    assert not caplog.records
    clock.pass_window(watch, share=0.5)
    assert len(caplog.records) == 1


def test_nothing_is_said_within_a_window(clock, caplog):
    watch = watch_that_has_looked()
    clock.now, clock.waited = clock.now + WINDOW_S / 2, clock.waited + WINDOW_S
    watch.look()
    assert not caplog.records


def test_nothing_is_said_where_the_system_does_not_count(clock, caplog):
    clock.waited = None
    watch = watch_that_has_looked()
    clock.pass_window(watch, share=None)
    assert not caplog.records


def test_waiting_is_the_second_number_of_each_thread(tmp_path):
    for thread, text in {"7": "100 2000000000 3\n", "8": "5 500000000 1\n"}.items():
        (tmp_path / thread).mkdir()
        (tmp_path / thread / "schedstat").write_text(text)
    assert waited_for_core_s(tmp_path) == 2.5


@pytest.mark.parametrize("text", ["", "12\n", "a b c\n"])
def test_waiting_is_unknown_where_the_file_says_something_else(tmp_path, text):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "schedstat").write_text(text)
    assert waited_for_core_s(tmp_path) is None


def test_waiting_is_unknown_without_the_folder(tmp_path):
    assert waited_for_core_s(tmp_path / "none") is None


@pytest.mark.skipif(waited_for_core_s() is None, reason="this system does not count how long threads wait for a core")
def test_waiting_grows_beside_a_busy_loop_on_the_same_core():
    before, cores_before = waited_for_core_s(), os.sched_getaffinity(0)
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        core = {min(cores_before)}
        os.sched_setaffinity(busy.pid, core)
        os.sched_setaffinity(0, core)
        until = monotonic() + 60
        while waited_for_core_s() - before < 0.05 and monotonic() < until:
            sum(range(100_000))
        assert waited_for_core_s() - before >= 0.05
    finally:
        os.sched_setaffinity(0, cores_before)
        busy.kill()
        busy.wait()
