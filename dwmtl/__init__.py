"""dwmtl: one network that tells who a face is and what it expresses, trained with dynamic task weights.

Method: Ming et al., Dynamic Multi-Task Learning for Face Recognition with Facial Expression,
ICCV workshop 2019, arXiv:1911.03281.

    from dwmtl import load_model
    model = load_model("data/models/fold_0")
    model.analyze("photo.jpg").faces
"""

import os
import sys

from dwmtl.cores import limit_threads

__version__ = "0.1.0"

if "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
"""OpenMP's threads sleep while they wait, in GNU's OpenMP after they have spun for a fraction of a millisecond. By
default they spin thirty times as long, and beside another busy process a training step then took up to several times
as long on an AMD EPYC, though not on an Intel Xeon; if they slept at once, waking them would take a third of a step on
the latter (docs/benchmarks.md). OpenMP reads them when torch is loaded, which only imports below this package do; what
the user has set stays."""

limit_threads()


def _keep_freed_memory() -> None:
    """Let glibc keep the memory of freed tensors for the next ones.

    By default it returns blocks of more than 128 KiB to the system, whose pages then fault in anew with every layer:
    4 to 10 % of a training step (docs/benchmarks.md). Values that the user has set stay.
    Source: mallopt(3).
    """
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt:
        trim_threshold, top_pad, mmap_threshold = -1, -2, -3
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(top_pad, 64 * 2**20)
        mallopt(mmap_threshold, 32 * 2**20)  # the largest that glibc accepts


_keep_freed_memory()


def __getattr__(name: str):
    """`load_model`, imported when it is asked for: torch takes seconds, and most of dwmtl does without."""
    if name == "load_model":
        from dwmtl.inference.model import load_model

        return load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
