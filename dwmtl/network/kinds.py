"""The kinds of task, by the names in `params.yaml`."""

from collections.abc import Sequence

from dwmtl.network.classes import Classes
from dwmtl.network.multi_label import MultiLabel
from dwmtl.network.params import KindName
from dwmtl.network.regression import Regression
from dwmtl.network.task_kind import TaskKind


def make_kind(name: KindName, value_range: Sequence[float] | None) -> TaskKind:
    """Make a kind; `value_range`: lowest and highest value, of a regression."""
    if name == "classes":
        return Classes()
    if name == "multi_label":
        return MultiLabel()
    assert value_range is not None  # a regression's section has one
    return Regression(*value_range)
