"""The pages' templates, in `templates/`, and the filters that they use. Knows nothing of what is shown."""

import re

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape


def render(template: str, /, **content: object) -> str:
    """A page; the same content gives the same text.

    Args:
        template: a file's name in `templates/`; what stands in one for HTML is escaped.
        content: every name that the template uses.
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
        "cell": _cell,
        "code": _code,
        "duration": _duration,
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


def _code(sentence: str) -> Markup:
    """A sentence in HTML; what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(sentence))))


def _as_code(name: str) -> str:
    """A name in Markdown, as code."""
    return "`" + name.replace("`", "'") + "`"


def _cell(text: object) -> str:
    """Text in a cell of a Markdown table: ends neither its cell nor its line, and is no markup; code stays as it is."""
    text = str(text).replace("|", "\\|").replace("\n", " ")
    return text if "`" in text else _without_markup(text)


def _without_markup(text: str) -> str:
    return text.replace("<", "&lt;").replace("\n", " ")
