"""A data card as Markdown, readable on GitHub: `card.md`. Knows nothing of how the card came about."""

CONTACT_SHEET = "contact_sheet.jpg"
"""The picture beside the page."""

_MAX_FAILURES = 20
_QUANTILES = {
    "min": "least",
    "q05": "5 %",
    "q25": "25 %",
    "median": "median",
    "q75": "75 %",
    "q95": "95 %",
    "max": "most",
}
_STATUSES = {"aligned": "face found", "fallback": "no face: the photo's centre is cropped", "unreadable": "unreadable"}


def data_card_markdown(card: dict[str, object]) -> str:
    """The page; the same card gives the same text.

    Args:
        card: what `card.data_card` returns.
    """
    parts = [_head(card), _cautions(card), _sheet(card), _photos(card), _subjects(card["subjects"])]
    parts += [_folds(card["folds"]), _pairs(card["pairs"]), _alignment(card["alignment"]), _sizes(card["sizes"])]
    parts += [_duplicates(card["duplicates"]), _lacks(card["lacks"])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(card: dict) -> str:
    source, photos, subjects = card["source"], card["photos"], card["subjects"]
    people = f"of {_n(subjects['num'])} subjects" if subjects["num"] else "of nobody known"
    used = "" if photos["num"] == photos["num_used"] else f"; {_n(photos['num_used'])} are used and counted below"
    return (
        f"# Data card: {source['name']}, a set of the role {source['role']}, read as {source['adapter']}\n\n"
        f"{_n(photos['num'])} photos {people}{used}. Folder: {_code(source['folder'])}."
    )


def _cautions(card: dict) -> str:
    lines = [f"- {_text(sentence)}" for sentence in card["cautions"]] or ["Nothing stands out."]
    return "## What to be careful about\n\n" + "\n".join(lines)


def _sheet(card: dict) -> str:
    what = "by expression" if card["expressions"]["counts"] else "one a subject"
    return f"## Crops, {what}\n\n![Crops, {what}]({CONTACT_SHEET})"


def _photos(card: dict) -> str:
    uses = _table(["use", "photos"], [[use, _n(num)] for use, num in card["photos"]["by_use"].items()])
    tables = [f"## Photos\n\n{uses}"]
    expressions = card["expressions"]
    if expressions["counts"]:
        rows = [[name, _n(row["num_photos"]), _n(row["num_subjects"])] for name, row in expressions["counts"].items()]
        if expressions["num_photos_without"]:
            rows.append(["(none)", _n(expressions["num_photos_without"]), ""])
        tables.append(_table(["expression", "photos", "subjects"], rows))
    tables += [
        _table([label, "photos"], [[value, _n(num)] for value, num in counts.items()])
        for label, counts in card["labels"].items()
    ]
    return "\n\n".join(tables)


def _subjects(subjects: dict) -> str:
    each = subjects["photos_each"]
    if each is None:
        return ""
    num = f"{_n(each['min'])} to {_n(each['max'])}, median {each['median']:g}"
    if each["min"] == each["max"]:
        num = _n(each["min"])
    text = (
        f"## Subjects\n\n{_n(subjects['num'])} subjects; photos each: {num}. With one photo only: "
        f"{_n(subjects['num_with_one_photo'])}."
    )
    if subjects["counts"] is None:
        return text
    rows = _table(["subject", "photos"], [[name, _n(num)] for name, num in subjects["counts"].items()])
    return f"{text}\n\n<details><summary>Photos of each subject</summary>\n\n{rows}\n\n</details>"


def _folds(folds: dict | None) -> str:
    if folds is None:
        return ""
    names = list(folds["rows"][0]["by_expression"]) if folds["rows"] else []
    rows = [
        [
            row["fold"],
            _n(row["num_subjects"]),
            _n(row["num_photos"]),
            *(_n(row["by_expression"][name]) for name in names),
        ]
        for row in folds["rows"]
    ]
    return "## Folds\n\nSubjects are tested in one fold each.\n\n" + _table(
        ["fold", "subjects", "photos", *names], rows
    )


def _pairs(pairs: dict | None) -> str:
    if pairs is None:
        return ""
    rows = [[row["fold"], _n(row["num_genuine"]), _n(row["num_impostor"])] for row in pairs["rows"]]
    rows.append(["all", _n(pairs["num_genuine"]), _n(pairs["num_impostor"])])
    return "## Official pairs\n\n" + _table(["fold", "genuine", "impostor"], rows)


def _alignment(outcome: dict) -> str:
    rows = [[_STATUSES.get(status, status), _n(num)] for status, num in outcome["num_by_status"].items()]
    rows.append(["several faces, one chosen", _n(outcome["num_several_faces"])])
    parts = ["## Alignment", _table(["outcome", "photos"], rows)]
    measured = [("detector's confidence", outcome["confidence"], 4), ("longer side (px)", outcome["face_side_px"], 1)]
    rows = [
        [title, *(f"{values[name]:.{digits}f}" for name in _QUANTILES)] for title, values, digits in measured if values
    ]
    if rows:
        parts.append(_table(["of the faces found", *_QUANTILES.values()], rows))
    if outcome["failed_by_expression"]:
        failed = ", ".join(f"{_cell(name)} {_n(num)}" for name, num in outcome["failed_by_expression"].items())
        parts.append(f"Without a face, by expression: {failed}.")
    if outcome["failures"]:
        shown = outcome["failures"][:_MAX_FAILURES]
        rows = [[_code(row["photo"]), row["status"], row["reason"]] for row in shown]
        parts.append(_table(["photo", "status", "reason"], rows))
        failed = outcome["num_photos"] - outcome["num_by_status"]["aligned"]
        parts += [f"The first {len(shown)} of {_n(failed)}."] if failed > len(shown) else []
    return "\n\n".join(parts)


def _sizes(sizes: dict | None) -> str:
    if sizes is None or not sizes["num_sizes"]:
        return ""
    rows = [[f"{row['width_px']} x {row['height_px']}", _n(row["num_photos"])] for row in sizes["most_frequent"]]
    more = f"\n\nThe most frequent of {_n(sizes['num_sizes'])} sizes." if sizes["num_sizes"] > len(rows) else ""
    return "## Sizes\n\n" + _table(["width x height (px)", "photos"], rows) + more


def _duplicates(found: dict | None) -> str:
    if found is None:
        return ""
    if not found["num_groups"]:
        return "## Duplicates\n\nNo two photos are the same picture."
    text = (
        f"## Duplicates\n\n{_n(found['num_groups'])} pictures are in the set more than once, as "
        f"{_n(found['num_photos'])} photos. Of these pictures, in files that are equal byte by byte: "
        f"{_n(found['num_same_bytes'])}; under contradicting labels: {_n(found['num_contradictory'])}; in several "
        f"folds: {_n(found['num_across_folds'])}."
    )
    rows = [
        [
            " = ".join(map(_code, group["photos"])) + (" = ..." if group["num_photos"] > len(group["photos"]) else ""),
            group["same"],
            ", ".join(group["subjects"]),
            ", ".join(group["expressions"]),
            " and ".join(group["contradicts"]),
        ]
        for group in found["groups"]
    ]
    more = f"\n\nThe first {len(rows)} of {_n(found['num_groups'])}." if found["num_groups"] > len(rows) else ""
    return f"{text}\n\n{_table(['photos', 'same', 'subject', 'expression', 'contradiction'], rows)}{more}"


def _lacks(rows: list[dict]) -> str:
    if not rows:
        return ""
    lines = []
    for row in rows:
        more = row["num_subjects"] - len(row["subjects"])
        subjects = ", ".join(map(_cell, row["subjects"])) + (f" and {_n(more)} more" if more else "")
        lines.append([row["what"], _code(row["kind"]), _n(row["num_subjects"]), subjects])
    table = _table(["what", "kind", "subjects without", "who"], lines, escape=False)
    return f"## Lacking\n\nWhat most subjects have and these have not; `*` stands for the subject.\n\n{table}"


def _table(head: list[str], rows: list[list[object]], *, escape: bool = True) -> str:
    """A table; numbers, that is, cells beginning with a digit in every row, stand to the right."""
    lines = [[_cell(cell) if escape else str(cell) for cell in row] for row in rows]
    rule = [
        "---:" if column and all(cell[:1].isdigit() or not cell for cell in column) else "---"
        for column in zip(*lines, strict=True)
    ] or ["---"] * len(head)
    return "\n".join("| " + " | ".join(line) + " |" for line in [[_cell(name) for name in head], rule, *lines])


def _cell(text: object) -> str:
    """Text that neither ends its cell nor its line, and is no markup; code keeps what it is."""
    text = str(text).replace("|", "\\|").replace("\n", " ")
    return text if "`" in text else text.replace("<", "&lt;")


def _text(sentence: str) -> str:
    return sentence.replace("<", "&lt;").replace("\n", " ")


def _code(name: str) -> str:
    return "`" + name.replace("`", "'") + "`"


def _n(num: int) -> str:
    return f"{num:,}"
