"""What is wrong with `params.yaml`, in a sentence for every key. Knows nothing of what the keys mean."""

import difflib

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dwmtl.section import Section
from dwmtl.weighting.params import rules_with


def explain(error: ValidationError, values: object) -> list[str]:
    """A sentence for every wrong key, with the key's dotted path in the file."""
    return [_sentence(detail, _path_in_file(detail["loc"], values)) for detail in error.errors()]


def _sentence(detail: ErrorDetails, path: list[str]) -> str:
    """A sentence on a wrong key and its value."""
    key, context = ".".join(path) or "(top level)", detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            return f"{key}: {_unknown(path)}"
        case "missing":
            return f"{key}: the key is missing."
        case "union_tag_not_found":
            return f"{key}.name: the key is missing."
        case "union_tag_invalid":
            tag = "kind" if path[:-1] == ["tasks"] else "name"
            return f"{key}.{tag}: must be one of {context['expected_tags']}. Got {context['tag']!r} instead."
    message = detail["msg"].removeprefix("Value error, ")
    got = "" if "Got" in message or isinstance(detail["input"], dict) else f". Got {detail['input']!r} instead."
    return f"{key}: {message}{got}"


def _path_in_file(location: tuple, values: object) -> list[str]:
    """The keys of an error's location that are in the file; pydantic adds the names of the members of unions."""
    path = []
    for number, part in enumerate(location):
        is_last = number == len(location) - 1
        if (isinstance(values, dict) and part in values) or (isinstance(values, list) and isinstance(part, int)):
            values = values[part]
        elif not is_last or not isinstance(values, dict):
            continue
        path.append(str(part))
    return path


def _unknown(path: list[str]) -> str:
    """What to do about an unknown key: the weightings that have it, or the most similar key of any section."""
    if path[:-1] == ["train", "weighting"] and (rules := rules_with(path[-1])):
        return f"a setting of {', '.join(rules)}, not of this weighting. Delete the line, or choose that weighting."
    keys = sorted({name for section in _sections(Section) for name in section.model_fields})
    similar = difflib.get_close_matches(path[-1], keys, n=1)
    return f"unknown key.{f' Did you mean {similar[0]}?' if similar else ''}"


def _sections(section: type[Section]) -> list[type[Section]]:
    return [child for direct in section.__subclasses__() for child in (direct, *_sections(direct))]
