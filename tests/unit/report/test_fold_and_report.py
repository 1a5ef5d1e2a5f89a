"""From what a network says of a few crops to the report: one small world, made by hand."""

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dwmtl.errors import ProtocolError, TableError
from dwmtl.evaluation.embedding import Answers
from dwmtl.evaluation.evaluate import _people_by_folder
from dwmtl.evaluation.fold import Answered, FoldEvaluation, evaluate_fold, write_evaluation
from dwmtl.params import Params, load_params
from dwmtl.report.report import report_content, write_pages, write_plot_tables
from dwmtl.report.summary import HEADLINES, read_fold, summarize
from dwmtl.report.this_run import Compared, ThisRun
from dwmtl.scores.bootstrap import subject_bootstrap
from dwmtl.stage import write_json
from dwmtl.tables import CROPS, DUPLICATES, EVALUATED_PAIRS, FOLDS, read_table, write_table

CLASSES = ["happiness", "neutral", "sadness", "surprise"]
SUBJECTS = [f"S{number}" for number in range(4)]


def labels() -> pd.DataFrame:
    rows = [
        {"photo": f"{subject}/{name}.jpg", "subject": subject, "expression": name, "fold": 0}
        for subject in SUBJECTS
        for name in CLASSES
    ]
    return pd.DataFrame([*rows, {"photo": "S0/lights.jpg", "subject": "S0", "expression": "", "fold": 0}])


def expression_pairs() -> pd.DataFrame:
    rows = []
    for number, subject in enumerate(SUBJECTS):
        other = SUBJECTS[(number + 1) % 4]
        for who, shown in ((subject, "happiness"), (other, "happiness"), (subject, "sadness"), (other, "sadness")):
            rows.append(
                {
                    "input": f"{who}/{shown}.jpg",
                    "reference": f"{subject}/neutral.jpg",
                    "is_same_identity": who == subject,
                    "expression_actual": shown,
                    "expression_required": "happiness",
                    "expression_reference": "neutral",
                    "is_required_expression": shown == "happiness",
                    "fold": number // 2,
                }
            )
    return pd.DataFrame(rows)


def verification_pairs() -> pd.DataFrame:
    rows = [("A/1.jpg", "A/2.jpg", True, f) for f in (0, 1)] + [("A/1.jpg", "B/1.jpg", False, f) for f in (0, 1)]
    return pd.DataFrame(rows, columns=["photo_a", "photo_b", "is_same_identity", "fold"])


def answered(photos: list[str], expression_of=None, noise: float = 0.0) -> Answered:
    """A network that knows who everybody is, and what they show as `expression_of` says."""
    people = sorted({photo.split("/")[0] for photo in photos})
    embeddings = np.array([np.eye(len(people))[people.index(photo.split("/")[0])] for photo in photos], np.float32)
    embeddings += noise * np.random.default_rng(0).normal(size=embeddings.shape).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    probabilities = np.full((len(photos), 4), 0.1, np.float32)
    for row, photo in enumerate(photos):
        name = photo.split("/")[1].removesuffix(".jpg")
        name = (expression_of or {}).get(photo, name)
        probabilities[row, CLASSES.index(name) if name in CLASSES else 0] = 0.7
    return Answered(pd.Index(photos), Answers(embeddings, {"expression": probabilities}), np.zeros(len(photos), bool))


def evaluate(
    expression_of=None, noise: float = 0.0, photos: list[str] | None = None, people: dict[str, str] | None = None
) -> FoldEvaluation:
    return evaluate_fold(
        labels(),
        expression_pairs(),
        verification_pairs(),
        expression_set=answered(photos or labels()["photo"].tolist(), expression_of, noise),
        verification_set=answered(["A/1.jpg", "A/2.jpg", "B/1.jpg"]),
        verification_subjects={"A/1.jpg": "A", "A/2.jpg": "A", "B/1.jpg": "B"} if people is None else people,
        classes=CLASSES,
        further_tasks={},
        params=load_params().evaluate,
    )


def test_a_perfect_network_scores_one_everywhere():
    metrics = evaluate().metrics
    assert metrics["expression"]["accuracy"] == 1
    assert metrics["expression"]["num_photos"] == 16  # the photo without an expression is not among them
    assert metrics["expression_pairs"]["accuracy_mean"] == 1
    assert metrics["verification"]["auc"] == 1
    assert {name: metrics["authentication"][name] for name in ("accuracy", "far", "frr", "product")} == {
        "accuracy": 1,
        "far": 0,
        "frr": 0,
        "product": 1,
    }


def test_a_wrong_expression_costs_expression_and_authentication_alone():
    metrics = evaluate({"S0/happiness.jpg": "surprise"}).metrics
    assert metrics["expression"]["accuracy"] == 15 / 16
    assert metrics["expression"]["per_class"]["happiness"] == 0.75
    assert metrics["authentication"]["frr"] == 0.25
    assert metrics["authentication"]["far"] == 0
    assert metrics["expression_pairs"]["accuracy_mean"] == 1


def test_every_pair_is_in_the_table_with_its_decision():
    pairs = evaluate().pairs
    assert pairs["set"].value_counts().to_dict() == {"expression": 16, "verification": 4}
    assert (pairs["is_verified"] == (pairs["distance"] < pairs["threshold"])).all()
    own = pairs[pairs["set"] == "expression"]
    assert (own["is_accepted"] == (own["is_same_identity"] & own["is_required_expression"])).all()


def test_a_photo_without_a_crop_is_named():
    photos = [photo for photo in labels()["photo"] if photo != "S2/neutral.jpg"]
    with pytest.raises(ProtocolError, match=r"S2/neutral\.jpg has no crop"):
        evaluate(photos=photos)


def card(role: str) -> dict[str, object]:
    """Of a data card what the report shows."""
    return {
        "source": {"name": role, "role": role, "adapter": "folders", "folder": f"data/raw/{role}"},
        "photos": {"num_used": 12},
        "subjects": {"num": 4},
        "expressions": {"counts": dict.fromkeys(CLASSES) if role == "expression" else {}},
        "alignment": {"num_by_status": {"aligned": 11, "fallback": 1, "unreadable": 0}, "num_several_faces": 2},
        "duplicates": {"num_photos": 3},
        "cautions": ["Said of every set.", f"`{role}.jpg` is <odd>."],
    }


def make_world(folder: Path) -> tuple[Path, Params]:
    """Outputs of the earlier stages for two folds, with a mistake of each kind."""
    for fold in (0, 1):
        evaluation = evaluate({"S0/happiness.jpg": "surprise"}, noise=1.0)
        write_evaluation(evaluation, folder / f"evaluation/fold_{fold}")
        write_evaluation(evaluate(), folder / f"evaluation/fold_{fold}/best_on_validation")
        steps = np.arange(40)
        trajectory = pd.DataFrame({"step": steps, "loss_identity": 2.0 / (1 + steps), "loss_expression": 1.5})
        trajectory = trajectory.assign(weight_identity=0.3 + 0.1 * fold, weight_expression=0.7 - 0.1 * fold)
        write_table(trajectory, folder / f"training/fold_{fold}/trajectory.csv")
        facts = {
            "num_subjects": 4,
            "num_photos": 16,
            "num_steps": 40,
            "num_parameters": 9,
            "model_sha256": "ab" * 32,
            "best_epoch": 1,
        }
        write_json(facts, folder / f"training/fold_{fold}/training.json")
    photos = {
        "expression": labels()["photo"],
        "verification": ["A/1.jpg", "A/2.jpg", "B/1.jpg"],
        "identity": ["x/1.jpg"],
    }
    for role, names in photos.items():
        for name in {role, *(photo.split("/")[0] for photo in names)}:  # here every person is a set, and so is the role
            inside = [photo.removeprefix(f"{name}/") for photo in names if photo.startswith(name) or name == role]
            crops = pd.DataFrame({"photo": inside, "num_faces": 1, "status": "aligned"}).reindex(columns=list(CROPS))
            crops["crop"] = "photos/" + crops["photo"] + ".png"
            write_table(crops, folder / "aligned" / role / name / "crops.csv", CROPS)
            for crop in crops["crop"]:
                path = folder / "aligned" / role / name / crop
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (112, 112), (90, 120, 150)).save(path)
        write_json(card(role), folder / "cards" / role / "card.json")
    write_table(pd.DataFrame({"subject": SUBJECTS, "fold": [0, 0, 1, 1]}), folder / "labels/folds.csv", FOLDS)
    write_table(pd.DataFrame(columns=list(DUPLICATES)), folder / "labels/duplicates.csv", DUPLICATES)
    write_table(labels(), folder / "labels/expression.csv")
    return folder, load_params()


@pytest.fixture
def world(tmp_path) -> tuple[Path, Params]:
    return make_world(tmp_path)


def folds_of(folder: Path):
    return [read_fold(number, folder / "training", folder / "evaluation") for number in (0, 1)]


def write(world, name: str) -> Path:
    out = world[0] / name
    write_pages(content_of(world), out)
    return out


def content_of(world) -> dict[str, object]:
    folder, params = world
    dirs = {"aligned_dir": folder / "aligned", "labels_dir": folder / "labels", "cards_dir": folder / "cards"}
    return report_content(folds_of(folder), params, **dirs)


def this_run() -> ThisRun:
    """With names as long as they come."""
    earlier = Compared(
        name="imported_checkpoint_and_more on oulu_casia",
        day="2026-01-02",
        differences=["train.batch_norm.branches.expression stored (here training)", "other pairs"],
        scores=[(0.5, 0.1), None, (0.8, -0.02)],
    )
    return ThisRun(
        written=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        commit="cd" * 20,
        changed=tuple(f"dwmtl/training/file_{number}.py" for number in range(7)),
        hardware={"processor": "AMD EPYC <9>", "cores": "2"},
        times={"fold 0": {"train": 3725.0, "evaluate": 61.0}, "fold 1": {}},
        earlier=[earlier],
    )


def test_the_copy_tells_what_changes_at_equal_results_and_the_report_does_not(world):
    content = content_of(world)
    write_pages(content, world[0] / "report")
    write_pages(content, world[0] / "copy", this_run=this_run())
    report, copy = ((world[0] / name / "report.html").read_text() for name in ("report", "copy"))
    told = ["2026-01-02 03:04 UTC", "cdcdcdcdcdcd", "and 2 more files", "AMD EPYC &lt;9&gt;", "train 1 h 2 min"]
    told += ["evaluate 1 min 1 s", "(+10.0)", "(-2.0)", "other pairs", "Compared with earlier experiments"]
    assert [text for text in told if text not in copy] == []
    assert [text for text in told if text in report] == []


def test_the_sets_and_their_cards_cautions_are_told_once_each(world):
    page = (write(world, "report") / "report.html").read_text()
    assert page.count("Said of every set.") == 1
    assert "<strong>expression, verification, identity:</strong> Said of every set." in page
    assert "<code>identity.jpg</code> is &lt;odd&gt;." in page


def test_the_three_scores_at_the_top_stand_with_interval_and_chance(world):
    summary = summarize(folds_of(world[0]))
    top = (write(world, "report") / "report.html").read_text().split('<div class="key">')[1].split("<h2>")[0]
    for name in ("expression_accuracy", "verification_accuracy", "authentication_accuracy"):
        assert f"<b>{100 * summary[name]['mean']:.1f} %</b>" in top
        assert f"chance {100 * summary['chance'][name]:.1f} %" in top
    assert top.count("95 % interval") == 3


def test_the_summary_is_the_mean_and_population_deviation(world):
    summary = summarize(folds_of(world[0]))
    vals = {"verification_val_at_far_0.01", "verification_val_at_far_0.1"}
    others = {"folds", "chance", "expression_pooled", "expression_per_class", "best_on_validation"}
    assert set(summary) == {*others, *HEADLINES, *vals}
    for name in HEADLINES:
        values = summary[name]["per_fold"]
        assert summary[name]["mean"] == pytest.approx(np.mean(values), abs=1e-6)
        assert summary[name]["std"] == pytest.approx(np.std(values), abs=1e-6)
    assert summary["chance"]["authentication_accuracy"] == 0.75


def test_the_epochs_best_on_validation_are_summed_up_beside_the_last(world):
    best = summarize(folds_of(world[0]))["best_on_validation"]
    assert best["epoch_per_fold"] == [1, 1]
    assert best["expression_accuracy"]["per_fold"] == [1, 1]  # in this world the last epoch is wrong now and then
    assert best["expression_accuracy"]["interval"] == [1, 1]


def test_without_validation_subjects_there_is_no_best_epoch(world):
    for fold in (0, 1):
        shutil.rmtree(world[0] / f"evaluation/fold_{fold}/best_on_validation")
    assert summarize(folds_of(world[0]))["best_on_validation"] is None


def test_the_summary_has_the_interval_of_all_folds_decisions_together(world):
    """S0 alone is wrong, in 1 of 4 photos a fold: the score of a draw is 1 - share of S0 / 4."""
    folds = folds_of(world[0])
    for fold in folds:
        low, high = fold.metrics["expression"]["accuracy_interval"]
        assert 0.75 <= low < fold.metrics["expression"]["accuracy"] < high == 1
    predictions = pd.concat([fold.predictions for fold in folds])
    expected = subject_bootstrap(
        (predictions["expression"] == predictions["predicted"]).to_numpy(), predictions["subject"].to_numpy(str), seed=0
    )
    low, high = summarize(folds)["expression_accuracy"]["interval"]
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_every_headline_accuracy_has_an_interval_around_it(world):
    summary = summarize(folds_of(world[0]))
    for name in ("expression", "verification", "expression_pairs", "authentication"):
        low, high = summary[f"{name}_accuracy"]["interval"]
        assert low <= summary[f"{name}_accuracy"]["mean"] <= high


def test_every_headline_but_the_authors_product_has_an_interval(world):
    summary = summarize(folds_of(world[0]))
    vals = {f"verification_val_at_far_{target:g}" for target in world[1].evaluate.far_targets}
    with_interval = {name for name, value in summary.items() if "interval" in value}
    assert with_interval == {*HEADLINES, *vals} - {"authentication_product"}
    for name in with_interval:
        low, high = summary[name]["interval"]
        assert 0 <= low <= high <= 1


def test_a_folds_intervals_hold_its_scores(world):
    metrics = folds_of(world[0])[0].metrics
    expression = metrics["expression"]
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        assert expression[f"{name}_interval"][0] <= expression[name] <= expression[f"{name}_interval"][1]
    own = metrics["expression_pairs"]
    assert own["auc_interval"][0] <= own["auc"] <= own["auc_interval"][1]
    for target in ("0.01", "0.1"):
        for kind, score in (("val_at_far", "val_mean"), ("tar_at_far", "tar")):
            low, high = own[kind][target]["interval"]
            assert low <= own[kind][target][score] <= high


def test_an_interval_of_pairs_draws_both_people_of_a_pair():
    outcome = evaluate({"S0/happiness.jpg": "surprise"}, noise=1.0)
    own = outcome.pairs[outcome.pairs["set"] == "expression"]
    right = own["is_accepted"] == (own["is_same_identity"] & own["is_required_expression"])
    people = (own[side].str.split("/").str[0].to_numpy(str) for side in ("input", "reference"))
    expected = subject_bootstrap(right.to_numpy(bool), *people, seed=0)
    assert outcome.metrics["authentication"]["accuracy_interval"] == pytest.approx(
        [expected.low, expected.high], abs=1e-6
    )


def test_photos_of_nobody_known_have_no_interval():
    metrics = evaluate(people={}).metrics
    for name in ("accuracy", "auc", "eer"):
        assert metrics["verification"][f"{name}_interval"] is None
    assert metrics["verification"]["val_at_far"]["0.1"]["interval"] is None
    assert metrics["expression_pairs"]["accuracy_interval"] == [1, 1]


def test_a_person_is_the_folder_of_the_photo_and_packs_have_none():
    assert _people_by_folder(verification_pairs()) == {"A/1.jpg": "A", "A/2.jpg": "A", "B/1.jpg": "B"}
    pack = pd.DataFrame({"photo_a": ["lfw/000/000000_a", "lfw/000/000001_a"], "photo_b": ["lfw/000/000000_b"] * 2})
    assert _people_by_folder(pack.assign(is_same_identity=[True, False])) == {}


def test_a_subject_keeps_its_zeros_on_the_way_through_the_table(world):
    path = world[0] / "evaluation/fold_0/pairs.csv"
    pairs = read_table(path, EVALUATED_PAIRS).assign(input_subject="007", reference_subject="07")
    write_table(pairs, path)
    read = folds_of(world[0])[0].pairs
    assert set(read["input_subject"]) == {"007"}
    assert set(read["reference_subject"]) == {"07"}


def test_the_expressions_of_all_folds_are_scored_as_one_set(world):
    summary = summarize(folds_of(world[0]))
    pooled = summary["expression_pooled"]
    assert pooled["classes"] == CLASSES
    assert pooled["confusion"] == [[6, 0, 0, 2], [0, 8, 0, 0], [0, 0, 8, 0], [0, 0, 0, 8]]
    assert pooled["accuracy"] == 30 / 32
    assert pooled["balanced_accuracy"] == 0.9375
    assert pooled["macro_f1"] == pytest.approx((12 / 14 + 1 + 1 + 16 / 18) / 4, abs=1e-6)
    happiness = summary["expression_per_class"]["happiness"]
    assert happiness == {"mean": 0.75, "std": 0, "per_fold": [0.75, 0.75], "pooled": 0.75}


def test_a_class_that_a_fold_lacks_counts_in_no_mean(world):
    path = world[0] / "evaluation/fold_1/predictions.csv"
    predictions = pd.read_csv(path)
    write_table(predictions[predictions["expression"] != "happiness"], path)
    happiness = summarize(folds_of(world[0]))["expression_per_class"]["happiness"]
    assert happiness == {"mean": 0.75, "std": 0, "per_fold": [0.75, None], "pooled": 0.75}


def test_every_fraction_of_the_summary_has_at_most_six_decimals(world):
    text = json.dumps(summarize(folds_of(world[0])))
    assert max(len(decimals) for decimals in re.findall(r"\.(\d+)", text)) <= 6


def test_tar_at_a_far_is_read_off_the_mean_roc(world):
    for name in ("verification", "expression_pairs"):
        fold = folds_of(world[0])[0]
        roc = fold.roc[fold.roc["set"] == {"expression_pairs": "expression"}.get(name, name)]
        assert list(fold.metrics[name]["tar_at_far"]) == ["0.01", "0.1"]
        for target, point in fold.metrics[name]["tar_at_far"].items():
            last = roc[roc["far"] <= float(target)].iloc[-1]
            assert (point["tar"], point["far"]) == (last["tar"], last["far"])


def test_the_page_needs_nothing_beside_it(world):
    page = (write(world, "report") / "report.html").read_text()
    assert page.count("<figure") == 6  # two trajectories, ROC, two distances, confusion
    assert page.count("<svg") == 6
    assert not re.findall(r"(?:src|href)=[\"'](?!data:|#)", page)
    assert "@import" not in page
    assert "prefers-color-scheme: dark" in page
    assert "S0/happiness.jpg" in page  # the wrong expression, as a picture
    assert "data:image/jpeg;base64," in page


def test_the_markdown_names_figures_that_are_there(world):
    folder = write(world, "report")
    figures = re.findall(r"\]\((figures/[^)]+)\)", (folder / "report.md").read_text())
    assert len(figures) == 6
    assert all((folder / figure).is_file() for figure in figures)


def test_the_same_outcome_gives_the_same_bytes(world):
    first, second = write(world, "first"), write(world, "second")
    files = [path.relative_to(first) for path in first.rglob("*") if path.is_file()]
    assert files
    assert all((first / file).read_bytes() == (second / file).read_bytes() for file in files)


def test_names_from_a_data_set_cannot_write_into_the_page(world):
    folder, _ = world
    for fold in (0, 1):
        path = folder / f"evaluation/fold_{fold}/predictions.csv"
        path.write_text(path.read_text().replace("happiness,surprise", "happiness,<script>alert(1)</script>"))
    assert "<script>" not in (write(world, "report") / "report.html").read_text()


def test_every_false_accept_rate_asked_for_has_a_row(world):
    page = (write(world, "report") / "report.html").read_text()
    assert [f"VAL at FAR {target:g}" in page for target in world[1].evaluate.far_targets] == [True, True]


def test_both_sets_show_mistakes_and_two_people_show_once(world):
    folder, _ = world
    for fold in (0, 1):
        path = folder / f"evaluation/fold_{fold}/pairs.csv"
        pairs = pd.read_csv(path)
        pairs["is_verified"] = ~pairs["is_same_identity"]  # everything wrong
        write_table(pairs, path)
    page = (write(world, "report") / "report.html").read_text()
    names = re.findall(r"([\w/.]+) · ([\w/.]+)</div>", page)
    own = [frozenset((a.split("/")[0], b.split("/")[0])) for a, b in names if a[0] == "S"]
    assert len(own) == len(set(own)) == 3
    assert [pair for pair in names if pair[0][0] == "A"]


def test_the_chance_of_unbalanced_pairs_is_that_of_the_commoner_kind(world):
    folder, _ = world
    for fold in (0, 1):
        path = folder / f"evaluation/fold_{fold}/pairs.csv"
        pairs = pd.read_csv(path)
        write_table(pd.concat([pairs, pairs[(pairs["set"] == "verification") & ~pairs["is_same_identity"]]]), path)
    assert summarize(folds_of(folder))["chance"]["verification_accuracy"] == pytest.approx(4 / 6, abs=1e-6)


def test_a_damaged_file_of_metrics_is_named(world):
    (world[0] / "evaluation/fold_1/metrics.json").write_text("{")
    with pytest.raises(TableError, match=r"fold_1/metrics\.json: not JSON"):
        folds_of(world[0])


def test_plot_tables_are_means_over_the_folds(world):
    write_plot_tables(folds_of(world[0]), world[0] / "plots")
    weights = pd.read_csv(world[0] / "plots/task_weights.csv")
    assert weights["identity"].tolist() == [0.35] * 40
    roc = pd.read_csv(world[0] / "plots/roc.csv")
    assert roc.columns.tolist() == ["far", "tar_expression", "tar_verification"]
    assert roc["tar_expression"].is_monotonic_increasing
    assert len(pd.read_csv(world[0] / "plots/confusion.csv")) == 32


def test_a_fold_that_was_not_evaluated_is_named(world):
    with pytest.raises(TableError, match=r"training/fold_7/trajectory\.csv: no such table"):
        read_fold(7, world[0] / "training", world[0] / "evaluation")


def test_metrics_are_json_that_reads_back(world):
    metrics = json.loads((world[0] / "evaluation/fold_0/metrics.json").read_text())
    assert metrics["expression"]["accuracy"] == 0.9375


def test_the_report_gives_the_best_epoch_beside_the_last(world):
    out = write(world, "report")
    for page in ("report.md", "report.html"):
        assert "epoch 2 in fold 0, epoch 2 in fold 1" in (out / page).read_text()
    assert (
        "| Expression: accuracy | 93.8 % | 100.0 % | 100.0 to 100.0 % | 100.0 % | 100.0 % |"
        in (out / "report.md").read_text()
    )
