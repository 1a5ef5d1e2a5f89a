"""What a model card says beside the numbers: where the faces are from, and on which terms. Pure; opens no file."""

from collections.abc import Iterable, Mapping

DRAWN = "data/raw/rendered"
"""Where the stage `render` draws its sets: their folders begin so."""

TERMS = {
    "affect_net": "AffectNet: photographs found on the web, from its authors on a signed agreement, for research.",
    "bin_pack": "A verification pack: photographs of public people; the terms are those of the set it was packed from.",
    "ck_plus": "CK+: people who posed, from the set's authors on a signed agreement, for research.",
    "ck_plus_48": "A repack of CK+: CK+'s signed agreement, for research, holds for it too.",
    "csv_table": "A table of somebody's own: who is on it, and what they agreed to, only its owner knows.",
    "fer2013": "FER2013: photographs found on the web for a competition; nobody on them was asked.",
    "folders": "A folder a person: the terms are those of the set that it was unpacked from, or its owner's.",
    "jaffe": "JAFFE: women who posed, from the set's authors on request, for research that is not commercial.",
    "lfw": "LFW: press photographs of public people, free for research; nobody on them was asked.",
    "oulu_casia": "Oulu-CASIA: people who posed, from its universities on a signed licence, for research.",
    "raf_db": "RAF-DB: photographs found on the web, from its authors on request, for research that is not commercial.",
    "record_pack": "A training pack: photographs of public people, from the web; the terms are those of its set.",
    "yale": "The Yale Face Database: people who posed, free for research.",
}
"""An adapter -> what its set is, and on which terms it is had. To be checked with who gave the set."""

_DRAWN_TERMS = "Drawn by this project: nobody is on it, and its licence is the project's."


def terms_of(sources: Iterable[Mapping[str, str]]) -> list[tuple[str, str]]:
    """The sets' names, sets of equal terms together, and the terms.

    Args:
        sources: of each set `name`, `adapter` and `folder`.
    """
    names: dict[str, list[str]] = {}
    for source in sources:
        terms = _DRAWN_TERMS if source["folder"].startswith(DRAWN) else TERMS[source["adapter"]]
        names.setdefault(terms, []).append(source["name"])
    return [(", ".join(own), terms) for terms, own in names.items()]
