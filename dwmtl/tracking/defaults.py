"""Defaults of the params that a run logged, under its own rule of weights and heads. Knows nothing of the server."""

from collections.abc import Mapping
from typing import Any, get_args

from dwmtl.network.params import HeadParams
from dwmtl.params import Params
from dwmtl.results import flatten
from dwmtl.section import Section
from dwmtl.training.task_params import LossParams
from dwmtl.weighting.params import WEIGHTINGS

_HEADS: dict[str, type[Section]] = {
    name: head for head in get_args(get_args(HeadParams)[0]) for name in get_args(head.model_fields["name"].annotation)
}


def defaults_of(params: Mapping[str, str]) -> dict[str, str]:
    """Defaults of all params that have one, by their logged names, as they are logged.

    The settings of the rule and of the heads are those of the rule and the heads that `params` name; the names have no
    default here, since the settings follow from them.
    """
    defaults = _settings(Params)
    defaults["train"]["weighting"] = _settings(WEIGHTINGS.get(params.get("train.weighting.name", "")))
    defaults["tasks"] = {
        task: {"head": _settings(_HEADS.get(params.get(f"tasks.{task}.head.name", ""))), "loss": _settings(LossParams)}
        for task in {name.split(".")[1] for name in params if name.startswith("tasks.")}
    }
    return {name: str(value) for name, value in flatten(defaults, separator=".").items()}


def _settings(section: type[Section] | None) -> dict[str, Any]:
    """Defaults of a section's keys, but of `name`; none of a section that this version does not know."""
    if section is None:
        return {}
    fields = {name: field for name, field in section.model_fields.items() if name != "name" and not field.is_required()}
    defaults = {name: field.get_default(call_default_factory=True) for name, field in fields.items()}
    return {name: value.model_dump() if isinstance(value, Section) else value for name, value in defaults.items()}
