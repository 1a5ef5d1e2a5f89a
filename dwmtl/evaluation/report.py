"""The report over all folds: tables for `dvc plots`, a page with its figures; the numbers are `summary`'s.

No time, host, commit or run id is in any output: the same metrics give the same bytes.
"""

import base64
import io
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from dwmtl.datasets.crops import crop_paths, read_crop, read_crops
from dwmtl.evaluation.figures import confusion_svg, distances_svg, inline, mean_roc, roc_svg, trajectory_svg
from dwmtl.evaluation.summary import VAL_AT_FAR, FoldResult, summarize
from dwmtl.params import Params
from dwmtl.tables import read_table, write_table

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
_NUM_MISTAKES = 6
_NUM_SMALL = {"expression": 200, "verification": 600}
"""Fewer test photos, or pairs, than this deserve a word of caution."""


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


def write_report(folds: list[FoldResult], params: Params, *, aligned_dir: Path, labels_dir: Path, folder: Path) -> None:
    """`report.html`, one page that needs nothing beside it, and `report.md` with `figures/`."""
    summary = summarize(folds)
    figures = _figures(folds)
    content = {
        "summary": summary,
        "titles": _titles(summary),
        "folds": folds,
        "figures": figures,
        "sets": [_set_facts(name, params, aligned_dir) for name in params.sets],
        "params": _flat(params.model_dump(exclude={"compute", "tracking"})),
        "weighting": params.train.weighting.name,
        "wrong_pairs": _wrong_pairs(folds, aligned_dir, _subjects(labels_dir)),
        "wrong_expressions": _wrong_expressions(folds, aligned_dir),
        "cautions": _cautions(folds, params, labels_dir),
    }
    environment = Environment(
        loader=PackageLoader("dwmtl.evaluation"),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["inline"] = inline
    environment.filters["percent"] = lambda value: f"{100 * value:.1f} %"
    environment.filters["percents"] = lambda ends: f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f} %"
    folder.mkdir(parents=True, exist_ok=True)
    for template in ("report.html.j2", "report.md.j2"):
        page = environment.get_template(template).render(content)
        (folder / template.removesuffix(".j2")).write_text(page, encoding="utf-8")
    (folder / "figures").mkdir(exist_ok=True)
    for figure in figures:
        (folder / "figures" / f"{figure['name']}.svg").write_text(figure["svg"], encoding="utf-8")


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


def _set_facts(name: str, params: Params, aligned_dir: Path) -> dict[str, object]:
    """What was run on: the set and what became of its photos."""
    source = params.sets[name]
    crops = read_crops(aligned_dir / source.role, [name])
    counts = crops["status"].value_counts()
    return {
        "name": name,
        "role": source.role,
        "adapter": source.adapter,
        "folder": source.folder,
        "num_photos": len(crops),
        "num_several_faces": int((crops["num_faces"] > 1).sum()),
        **{f"num_{status}": int(counts.get(status, 0)) for status in ("aligned", "fallback", "unreadable")},
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


def _cautions(folds: list[FoldResult], params: Params, labels_dir: Path) -> list[str]:
    """What a reader should be careful about."""
    cautions = []
    drawn = [name for name, values in params.sets.items() if values.folder.startswith("data/raw/rendered")]
    if drawn:
        cautions.append(
            f"Drawn by this project, no photographs: {', '.join(drawn)} set. Numbers on drawn faces say that the "
            "pipeline works, not how well it would do on photographs."
        )
    if len(folds) < params.labels.num_folds:
        cautions.append(
            f"{len(folds)} of {params.labels.num_folds} folds were run: the others' subjects were never tested."
        )
    num_photos = sum(fold.metrics["expression"]["num_photos"] for fold in folds)
    if num_photos < _NUM_SMALL["expression"]:
        cautions.append(
            f"Only {num_photos} test photos with an expression: one photo is {100 / num_photos:.1f} points."
        )
    num_pairs = folds[0].metrics["verification"]["num_pairs"]
    if num_pairs < _NUM_SMALL["verification"]:
        cautions.append(f"The verification set has {num_pairs} pairs (LFW has 6,000): VAL at a small FAR means little.")
    for name in SETS:
        most = max(fold.metrics["num_fallback_crops"][name] for fold in folds)
        if most:
            cautions.append(
                f"In the {name} set no face was found in {most} of the evaluated photos: the centre was used."
            )
    num_subjects = len(read_table(labels_dir / "folds.csv", ("subject", "fold")))
    cautions.append(
        f"{num_subjects} subjects in the expression set; deviations are over folds of one training seed each."
    )
    return cautions


def _flat(values: dict, prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
