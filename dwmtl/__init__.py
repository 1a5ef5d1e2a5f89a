"""dwmtl: one network that tells who a face is and what it expresses, trained with dynamic task weights.

Method: Ming et al., Dynamic Multi-Task Learning for Face Recognition with Facial Expression,
ICCV workshop 2019, arXiv:1911.03281.

    from dwmtl import load_model
    model = load_model("data/models/fold_0")
    model.analyze("photo.jpg").faces
"""

import os

__version__ = "0.1.0"

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
"""OpenMP's threads sleep while they wait. By default they spin, and beside another busy process a training step then
takes several times as long (docs/benchmarks.md). OpenMP reads it when torch is loaded, which only imports below this
package do; a value that the user has set stays."""


def __getattr__(name: str):
    """`load_model`, imported when it is asked for: torch takes seconds, and most of dwmtl does without."""
    if name == "load_model":
        from dwmtl.inference.model import load_model

        return load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
