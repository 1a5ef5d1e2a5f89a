"""Hooks of the documentation site: formulas as MathML, links to files outside docs/ as their names, no other host."""

import re

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError

CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", re.DOTALL)
OUTSIDE = re.compile(r"!?\[([^\]]*)\]\(\.\./([^)#]+)[^)]*\)")
FROM_ANOTHER_HOST = re.compile(r"<(?:script|img|link|iframe)[^>]+(?:src|href)=.?(?:https?:)?//[^>]*>")
MARK = "\N{WORD JOINER}formula\N{WORD JOINER}"
"""Stands for a formula while Markdown is read, which would take MathML at the start of a line for a paragraph."""

_formulas: list[str] = []
"""The formulas of the page that is being built, as MathML."""


def on_page_markdown(markdown: str, **_: object) -> str:
    """A page's text before it becomes HTML; code stays as it is."""
    _formulas.clear()
    parts = CODE.split(markdown)
    parts[::2] = [OUTSIDE.sub(r"\1 (`\2`)", FORMULA.sub(marked, part)) for part in parts[::2]]
    return "".join(parts)


def on_page_content(html: str, **_: object) -> str:
    """A page's HTML, with its formulas."""
    formulas = iter(_formulas)
    return re.sub(MARK, lambda _: next(formulas), html)


def on_post_page(output: str, **_: object) -> str:
    """Refuse a page that loads something from another host."""
    if found := FROM_ANOTHER_HOST.search(output):
        raise PluginError(f"the page loads from another host: {found[0]}")
    return output


def marked(found: re.Match[str]) -> str:
    """MathML, which needs no script from another host, in place of `$$...$$` and `$...$`; a wide one scrolls."""
    display, inline = found.groups()
    if display is None:
        _formulas.append(convert(inline))
    else:
        formula = convert(" ".join(display.split()), display="block")
        _formulas.append(f'<span style="display: block; overflow: auto hidden">{formula}</span>')
    return MARK
