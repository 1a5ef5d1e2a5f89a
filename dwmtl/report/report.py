"""The report over all folds: tables for `dvc plots`, a page with its figures; the numbers are `summary`'s.

No time, host, commit or run id is in it, so that the same metrics give the same bytes, unless a `ThisRun` is given.
"""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from PIL import Image

from dwmtl.crops.aligned import crop_paths, read_crop
from dwmtl.params import Params
from dwmtl.report.cautions import card_cautions, cautions
from dwmtl.report.figures import confusion_svg, distances_svg, inline, mean_roc, roc_svg, trajectory_svg
from dwmtl.report.model_card import terms_of
from dwmtl.report.summary import BEST_HEADLINES, VAL_AT_FAR, FoldResult, read_json, summarize
from dwmtl.report.this_run import SCORES, ThisRun
from dwmtl.tables import DUPLICATES, FOLDS, read_table, write_table

SETS = ("expression", "verification")
_TITLES = {
    "expression_accuracy": "Expression: accuracy",
    "expression_balanced_accuracy": "Expression: balanced accuracy",
    "expression_macro_f1": "Expression: macro F1",
    "verification_accuracy": "Verification set: accuracy",
    "verification_auc": "Verification set: AUC",
    "verification_eer": "Verification set: EER (lower is better)",
    "expression_pairs_accuracy": "Test subjects' pairs: verification accuracy",
    "expression_pairs_auc": "Test subjects' pairs: AUC",
    "authentication_accuracy": "Authentication: joint accuracy",
    "authentication_far": "Authentication: FAR (lower is better)",
    "authentication_frr": "Authentication: FRR (lower is better)",
    "authentication_product": "Authentication: the authors' product",
}
_KEY_SCORES = {
    "expression_accuracy": "Expression",
    "verification_accuracy": "Same person or not",
    "authentication_accuracy": "Same person, required expression",
}
"""What stands at the top of the page."""

_NUM_MISTAKES = 6


def write_plot_tables(folds: list[FoldResult], folder: Path) -> None:
    """The tables that `dvc plots` draws: task weights, losses and ROC as means over the folds, confusion pooled."""
    num_steps = min(len(fold.trajectory) for fold in folds)
    for kind, name in (("weight", "task_weights"), ("loss", "task_losses")):
        tasks = [c.removeprefix("weight_") for c in folds[0].trajectory if c.startswith("weight_")]
        table = pd.DataFrame({"step": np.arange(num_steps)})
        for task in tasks:
            values = [fold.trajectory[f"{kind}_{task}"].to_numpy()[:num_steps] for fold in folds]
            table[task] = np.mean(values, axis=0).round(6)
        write_table(table, folder / f"{name}.csv")
    grid = np.linspace(0, 1, 201)
    roc = pd.DataFrame({"far": grid.round(6)})
    for name, curves in _curves(folds).items():
        roc[f"tar_{name}"] = mean_roc(curves, grid).round(6)
    write_table(roc, folder / "roc.csv")
    pooled = pd.concat([fold.predictions for fold in folds])
    write_table(pooled[["expression", "predicted"]].rename(columns={"expression": "actual"}), folder / "confusion.csv")


def report_content(
    folds: list[FoldResult], params: Params, *, aligned_dir: Path, labels_dir: Path, cards_dir: Path
) -> dict[str, object]:
    """All that the report shows, figures drawn and pictures read.

    Args:
        aligned_dir, labels_dir: outputs of the stages of these names.
        cards_dir: the folder with the sets' data cards.
    Raises:
        TableError: a table or a card is missing or damaged.
    """
    summary = summarize(folds)
    subjects, duplicates = (
        read_table(labels_dir / f"{name}.csv", columns)
        for name, columns in (("folds", FOLDS), ("duplicates", DUPLICATES))
    )
    cards = {name: read_json(cards_dir / name / "card.json") for name in params.sets}
    return {
        "summary": summary,
        "key_scores": _KEY_SCORES,
        "titles": _titles(summary),
        "best_headlines": BEST_HEADLINES,
        "folds": folds,
        "figures": _figures(folds),
        "sets": [_set_facts(card) for card in cards.values()],
        "terms": terms_of([card["source"] for card in cards.values()]),
        "expressions": summary["expression_pooled"]["classes"],
        "params": _flat(params.model_dump(exclude={"compute", "tracking"})),
        "weighting": params.train.weighting.name,
        "wrong_pairs": _wrong_pairs(folds, aligned_dir, _subjects(labels_dir)),
        "wrong_expressions": _wrong_expressions(folds, aligned_dir),
        "cautions": cautions(folds, summary, params, subjects=subjects, duplicates=duplicates),
        "card_cautions": card_cautions(cards),
    }


def write_pages(content: dict[str, object], folder: Path, *, this_run: ThisRun | None = None) -> None:
    """`report.html`, one page that needs nothing beside it; `report.md` with `figures/`; and `model_card.md`.

    Args:
        content: what `report_content` returns.
        this_run: what changes at equal results, for a copy that need not have the same bytes.
    """
    environment = Environment(
        loader=PackageLoader("dwmtl.report"),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "inline": inline,
        "percent": lambda value: f"{100 * value:.1f} %",
        "percents": lambda ends: f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f} %",
        "points": lambda value: f"{100 * value:+.1f}",
        "duration": _duration,
        "code": _code,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for template in ("report.html.j2", "report.md.j2", "model_card.md.j2"):
        page = environment.get_template(template).render(content, this_run=this_run, compared=SCORES)
        (folder / template.removesuffix(".j2")).write_text(page, encoding="utf-8")
    (folder / "figures").mkdir(exist_ok=True)
    for figure in content["figures"]:
        (folder / "figures" / f"{figure['name']}.svg").write_text(figure["svg"], encoding="utf-8")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _code(sentence: str) -> Markup:
    """A sentence for the page; what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(sentence))))


def _titles(summary: dict[str, object]) -> dict[str, str]:
    """The rows of the table of results: VAL, whose targets params.yaml sets, after the rest of its set."""
    vals = {
        name: f"Verification set: VAL at FAR {name.removeprefix(VAL_AT_FAR)}"
        for name in summary
        if name.startswith(VAL_AT_FAR)
    }
    rows = list(_TITLES.items())
    place = 1 + list(_TITLES).index("verification_eer")
    return dict([*rows[:place], *vals.items(), *rows[place:]])


def _figures(folds: list[FoldResult]) -> list[dict[str, str]]:
    """Name, caption and picture, in the order of the page."""
    pooled = pd.concat([fold.predictions for fold in folds])
    pairs = pd.concat([fold.pairs for fold in folds])
    figures = [
        {
            "name": f"trajectory_fold_{fold.number}",
            "caption": f"Fold {fold.number}: the task weights above the task losses, step by step.",
            "svg": trajectory_svg(fold.trajectory),
        }
        for fold in folds
    ]
    names = {"expression": "test subjects' pairs", "verification": "verification set"}
    curves = {names[name]: folds_curves for name, folds_curves in _curves(folds).items()}
    figures.append({"name": "roc", "caption": "ROC: folds faint, their mean strong.", "svg": roc_svg(curves)})
    caption = "Expressions of the test subjects, all folds: counts, coloured by the share of the row."
    figures.append(
        {"name": "confusion", "caption": caption, "svg": confusion_svg(pooled["expression"], pooled["predicted"])}
    )
    figures += [
        {
            "name": f"distances_{name}",
            "caption": f"Distances of the {names[name]}, all folds.",
            "svg": distances_svg(pairs[pairs["set"] == name]),
        }
        for name in SETS
    ]
    return figures


def _curves(folds: list[FoldResult]) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """A set's name -> (far, tar) of every fold."""
    return {
        name: [
            (f.roc.loc[f.roc["set"] == name, "far"].to_numpy(), f.roc.loc[f.roc["set"] == name, "tar"].to_numpy())
            for f in folds
        ]
        for name in SETS
    }


def _set_facts(card: dict) -> dict[str, object]:
    """What was run on: a set by its data card, and what became of its photos."""
    return {
        **card["source"],
        "num_photos": card["photos"]["num_used"],
        "num_subjects": card["subjects"]["num"],
        "num_expressions": len(card["expressions"]["counts"]),
        "num_several_faces": card["alignment"]["num_several_faces"],
        "num_duplicates": card["duplicates"]["num_photos"] if card["duplicates"] else 0,
        **{f"num_{status}": num for status, num in card["alignment"]["num_by_status"].items()},
    }


def _wrong_pairs(folds: list[FoldResult], aligned_dir: Path, subjects: dict[str, str]) -> list[dict[str, object]]:
    """The verification decisions that were wrong by most, over all folds: as many of either set, no two alike.

    Args:
        subjects: photo -> subject, of the expression set; a pair of subjects is shown once.
    """
    pairs = pd.concat([fold.pairs.assign(model=fold.number) for fold in folds])
    wrong = pairs[pairs["is_verified"] != pairs["is_same_identity"]]
    by = (wrong["distance"] - wrong["threshold"]).abs()
    worst = wrong.assign(by=by).sort_values(["by", "input", "reference", "model"], ascending=[False, True, True, True])
    people = [
        " ".join(sorted(subjects.get(photo, photo) for photo in photos))
        for photos in zip(worst["input"], worst["reference"], strict=True)
    ]
    shown = worst.assign(people=people).drop_duplicates(["set", "people"]).groupby("set").head(_NUM_MISTAKES // 2)
    return [
        {
            "input": _picture(aligned_dir / row.set, row.input),
            "reference": _picture(aligned_dir / row.set, row.reference),
            "text": f"{'same person' if row.is_same_identity else 'other people'}, taken for the opposite: distance "
            f"{row.distance:.2f}, threshold {row.threshold:.2f}",
            "names": f"{row.input} · {row.reference}",
        }
        for row in shown.sort_values("set", kind="stable").itertuples()
    ]


def _subjects(labels_dir: Path) -> dict[str, str]:
    table = read_table(labels_dir / "expression.csv", ("photo", "subject"))
    return dict(zip(table["photo"], table["subject"], strict=True))


def _wrong_expressions(folds: list[FoldResult], aligned_dir: Path) -> list[dict[str, object]]:
    """The wrong expressions that the network was surest of; of a subject's frames, which are much alike, one."""
    table = pd.concat([fold.predictions for fold in folds])
    wrong = table[table["expression"] != table["predicted"]]
    worst = wrong.sort_values(["confidence", "photo"], ascending=[False, True])
    worst = worst.drop_duplicates(["subject", "expression"]).head(_NUM_MISTAKES)
    return [
        {
            "picture": _picture(aligned_dir / "expression", row.photo),
            "text": f"{row.expression}, taken for {row.predicted} ({row.confidence:.2f})",
            "names": row.photo,
        }
        for row in worst.itertuples()
    ]


def _picture(aligned: Path, photo: str) -> str:
    """A photo's crop as a data URL."""
    path = crop_paths(aligned, pd.Series([photo]), status=("aligned", "fallback")).iloc[0]
    encoded = io.BytesIO()
    Image.fromarray(read_crop(aligned / path)).save(encoded, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.getvalue()).decode()


def _flat(values: dict, prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
