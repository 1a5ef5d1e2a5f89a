"""Whether a training has the cores it computes on. Knows nothing of the training."""

import logging
from pathlib import Path
from time import monotonic

import torch

log = logging.getLogger(__name__)

WINDOW_S = 30.0
MAX_SHARE = 0.2
"""Of the time of all threads, spent ready to run and without a core. Measured: 0.01 alone, above 0.3 beside others."""


class CoreWatch:
    """Warns once when other work has kept this process's threads from the cores for a window of time.

    Threads wait for each other many times in a step, so one shared core makes a training several times slower
    (measured: docs/benchmarks.md). Says nothing where the system does not count it; Linux does.
    """

    def __init__(self) -> None:
        self._since: tuple[float, float] | None = None  # when the window began, and the threads' waiting until then, s
        self._has_warned = False

    def look(self) -> None:
        """To be called often, such as after each step; looks when a window has passed."""
        now = monotonic()
        if self._has_warned or (self._since is not None and now - self._since[0] < WINDOW_S):
            return
        waited = waited_for_core_s()
        if waited is None:
            return
        if self._since is not None:
            self._warn_if_shared(waited - self._since[1], now - self._since[0])
        self._since = now, waited

    def _warn_if_shared(self, waited_s: float, window_s: float) -> None:
        num_threads = torch.get_num_threads()
        share = waited_s / (window_s * num_threads)
        if share > MAX_SHARE:
            self._has_warned = True
            log.warning(
                "this training's %d threads waited for a core %.0f %% of the last %.0f s: other processes use the same "
                "cores, or a container's quota is used up. Threads wait for each other, so a step may take many times "
                "as long. Set OMP_NUM_THREADS to the number of cores that are free (docs/benchmarks.md).",
                num_threads,
                100 * share,
                window_s,
            )


def waited_for_core_s(threads: Path = Path("/proc/self/task")) -> float | None:
    """How long the threads of this process were ready to run and had no core, in sum, s; None if that is not known.

    Args:
        threads: a folder per thread, whose `schedstat` has it as the second number, in ns (Linux).
    """
    try:
        files = [thread / "schedstat" for thread in threads.iterdir()]
        return sum(int(file.read_text().split()[1]) for file in files) / 1e9
    except (OSError, IndexError, ValueError):  # another system, or a thread that ended meanwhile
        return None
