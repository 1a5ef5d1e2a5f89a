"""Rendering of the templates in `templates/`, and their filters. Knows nothing of the pages' content."""

import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape


def render(template: str, /, **content: object) -> str:
    """Render a page; the same content gives the same text.

    Args:
        template: name of a file in `templates/`; values in an HTML template are escaped.
        content: a value for every name that the template uses.
    """
    return _environment().get_template(template).render(content)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("dwmtl.report"),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "as_code": _as_code,
        "cell": cell,
        "code": _code,
        "decimal": lambda value: "" if value is None else f"{value:.3f}",
        "deviation": _deviation,
        "duration": _duration,
        "path": lambda text: Markup(str(escape(text)).replace("/", "/<wbr>")),
        "percent": lambda value: f"{100 * value:.1f} %",
        "percents": lambda ends: f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f} %",
        "points": lambda value: f"{100 * value:+.1f}",
        "text": _without_markup,
        "thousands": lambda num: f"{num:,}",
    }
    return environment


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _deviation(score: Any) -> str:
    """` ± 2.9 %` of a `summary.Score`, to stand after the mean; empty where one fold alone has the score."""
    num_folds = sum(value is not None for value in score.per_fold)
    return f" ± {100 * score.std:.1f} %" if num_folds > 1 else ""


def _code(sentence: str) -> Markup:
    """A sentence as HTML, with text in backticks as code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(sentence))))


def _as_code(name: str) -> str:
    """A name as Markdown code."""
    return "`" + name.replace("`", "'") + "`"


def cell(text: object) -> str:
    """Text escaped for a cell of a Markdown table; code stays as it is."""
    text = str(text).replace("|", "\\|").replace("\n", " ")
    return text if "`" in text else _without_markup(text)


def _without_markup(text: str) -> str:
    return text.replace("<", "&lt;").replace("\n", " ")
