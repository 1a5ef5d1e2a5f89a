"""Progress of a long loop: a bar in a terminal, a line now and then in a log. Knows nothing of what is done."""

import logging
import sys
from contextlib import AbstractContextManager, nullcontext
from time import monotonic

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

log = logging.getLogger(__name__)

LINE_EVERY_S = 30.0


class Progress(tqdm):
    """tqdm's bar; where the output is no terminal, a log line every `LINE_EVERY_S` seconds instead.

    From the second on, a line says how long the rest takes at the pace since the first: what was finished before the
    loop, and the slow start of processes, are no part of that pace.
    """

    monitor_interval = 0  # no thread beside the loop

    def __init__(self, *args, **settings):
        self.is_logged = not sys.stderr.isatty()
        self.first_line: tuple[float, float] | None = None  # what was done then, and when, s
        if self.is_logged:
            settings |= {"mininterval": LINE_EVERY_S, "miniters": 1, "leave": False}
        super().__init__(*args, **settings)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Draw the bar, or log a line; called by tqdm when the interval has passed."""
        if not self.is_logged:
            return super().display(msg, pos)
        if msg is None and self.n > self.initial:
            rest = self._rest()
            log.info("%s: %d of %s %s%s", self.desc, self.n, self.total or "unknown", self.unit, rest)
        return False

    def _rest(self) -> str:
        """`, about 12 min left`; empty where that is not known."""
        now = monotonic()
        if self.first_line is None:
            self.first_line = self.n, now
        num_then, then = self.first_line
        if not self.total or not num_then < self.n < self.total:
            return ""
        return f", {about((self.total - self.n) * (now - then) / (self.n - num_then))} left"


def about(seconds: float) -> str:
    """A duration that is an estimate: `about 1 h 5 min`, `about 12 min`, `less than a minute`."""
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours:
        return f"about {hours} h {minutes} min"
    return f"about {minutes} min" if minutes else "less than a minute"


def log_lines_above_bars() -> AbstractContextManager[None]:
    """While it is entered, log lines appear above a terminal's bars.

    Without a terminal nothing changes: tqdm would draw each bar again after a line, which here logs a line.
    """
    return logging_redirect_tqdm(tqdm_class=Progress) if sys.stderr.isatty() else nullcontext()
