"""How a run was scored, in MLflow: tags, as it is no part of what makes an experiment and may change."""

import json

from dwmtl.params import Params
from dwmtl.tracking.run import Run


def log_scoring(run: Run, params: Params) -> None:
    """The sections `evaluate` and `pairs`, as JSON."""
    for section in ("evaluate", "pairs"):
        run.set_tag(f"dwmtl.{section}", json.dumps(getattr(params, section).model_dump(), sort_keys=True))
