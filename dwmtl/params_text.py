"""The text of `params.yaml` with values changed: what is not changed, comments among it, stays. Opens no file."""

import io
from collections.abc import Mapping

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.util import load_yaml_guess_indent


class _Representer(RoundTripRepresenter):
    """Writes null as `null`, not as nothing."""


_Representer.add_representer(type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null"))


def with_values(text: str, values: Mapping[str, object]) -> str:
    """The text with values set.

    Args:
        text: YAML, a mapping.
        values: by dotted key. A key that is not there becomes the first of its section.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 2**16  # no line is broken that was none
    yaml.Representer = _Representer
    document, indent, dash_indent = load_yaml_guess_indent(text, yaml=yaml)
    if dash_indent is None:  # no sequence has lines of its own: the indent is that of mappings
        yaml.indent(mapping=indent or 2)
    else:
        yaml.indent(sequence=indent, offset=dash_indent)
    for dotted, value in values.items():
        *sections, key = dotted.split(".")
        section = document
        for name in sections:
            if not isinstance(section.get(name), CommentedMap):
                _set(section, name, CommentedMap())
            section = section[name]
        _set(section, key, _in_one_line(value))
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _set(section: CommentedMap, key: str, value: object) -> None:
    """A new key stands first: behind the last one are the comments of what follows the section."""
    if key in section:
        section[key] = value
    else:
        section.insert(0, key, value)


def _in_one_line(value: object) -> object:
    """A list or mapping in the form `[112, 96]`."""
    if isinstance(value, dict):
        mapping = CommentedMap({key: _in_one_line(inner) for key, inner in value.items()})
        mapping.fa.set_flow_style()
        return mapping
    if isinstance(value, list):
        sequence = CommentedSeq(value)
        sequence.fa.set_flow_style()
        return sequence
    return value
