"""The licence terms of the sets, for the model card. Pure; opens no file."""

from collections.abc import Iterable

from dwmtl.report.data_card.card import Source


def terms_of(sources: Iterable[Source]) -> list[tuple[str, str]]:
    """Names of the sets and their terms; sets with equal terms are joined."""
    names: dict[str, list[str]] = {}
    for source in sources:
        names.setdefault(source.terms, []).append(source.name)
    return [(", ".join(of_terms), terms) for terms, of_terms in names.items()]
