"""Progress of a long loop: a bar in a terminal, a line now and then in a log. Knows nothing of what is done."""

import logging
import sys
from contextlib import AbstractContextManager, nullcontext

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

log = logging.getLogger(__name__)

LINE_EVERY_S = 30.0


class Progress(tqdm):
    """tqdm's bar; where the output is no terminal, a log line every `LINE_EVERY_S` seconds instead."""

    monitor_interval = 0  # no thread beside the loop

    def __init__(self, *args, **settings):
        self.is_logged = not sys.stderr.isatty()
        if self.is_logged:
            settings |= {"mininterval": LINE_EVERY_S, "miniters": 1, "leave": False}
        super().__init__(*args, **settings)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Draw the bar, or log a line; called by tqdm when the interval has passed."""
        if not self.is_logged:
            return super().display(msg, pos)
        if msg is None and self.n > self.initial:
            log.info("%s: %d of %s %s", self.desc, self.n, self.total or "unknown", self.unit)
        return False


def log_lines_above_bars() -> AbstractContextManager[None]:
    """While it is entered, log lines appear above a terminal's bars.

    Without a terminal nothing changes: tqdm would draw each bar again after a line, which here logs a line.
    """
    return logging_redirect_tqdm(tqdm_class=Progress) if sys.stderr.isatty() else nullcontext()
