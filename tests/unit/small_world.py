"""From what a network predicts for a few crops to the report: one small world, made by hand."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dwmtl.evaluation.embedding import Answered, Answers
from dwmtl.evaluation.fold import (
    FoldData,
    FoldEvaluation,
    evaluate_fold,
    evaluate_verification_set,
    write_evaluation,
)
from dwmtl.evaluation.start import StartEvaluation, write_start_evaluation
from dwmtl.files import write_json
from dwmtl.params import Params, load_params
from dwmtl.report.comparison import ComparedExperiment, ComparedScore
from dwmtl.report.content import ReportContent, report_content
from dwmtl.report.data_card.card import (
    Alignment,
    DataCard,
    Duplicates,
    ExpressionCount,
    Expressions,
    Photos,
    Source,
    Subjects,
)
from dwmtl.report.embedding_map import EmbeddingMap, embedding_map, mapped_photos
from dwmtl.report.fold_results import FoldResult, StartResult, read_fold, read_start
from dwmtl.report.page import write_pages
from dwmtl.report.summary import Summary, summarize
from dwmtl.report.this_run import ThisRun
from dwmtl.results import write_result
from dwmtl.tables import CROPS, DUPLICATES, FOLDS, write_table

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
    data = FoldData(
        labels=labels(),
        expression_pairs=expression_pairs(),
        verification_pairs=verification_pairs(),
        verification_subjects={"A/1.jpg": "A", "A/2.jpg": "A", "B/1.jpg": "B"} if people is None else people,
        expressions=CLASSES,
        further_tasks={},
    )
    return evaluate_fold(
        data,
        expression_set=answered(photos or labels()["photo"].tolist(), expression_of, noise),
        verification_set=answered(["A/1.jpg", "A/2.jpg", "B/1.jpg"]),
        params=load_params().evaluate,
    )


def start_evaluation() -> StartEvaluation:
    """A start that takes the two people of the verification set for each other."""
    photos = answered(["A/1.jpg", "A/2.jpg", "B/1.jpg"])
    mistaken = Answered(photos.photos, Answers(photos.answers.embeddings[[0, 2, 1]], {}), photos.is_fallback)
    people = {"A/1.jpg": "A", "A/2.jpg": "A", "B/1.jpg": "B"}
    return StartEvaluation(
        evaluate_verification_set(verification_pairs(), people, mistaken, params=load_params().evaluate)
    )


def card(role: str) -> DataCard:
    """Of a drawn set."""
    shown = CLASSES if role == "expression" else []
    return DataCard(
        source=Source(
            name=role,
            role=role,
            adapter="folders",
            folder=f"data/raw/{role}",
            is_drawn=True,
            terms=f"The terms of the {role} set.",
        ),
        photos=Photos(num=12, num_used=12, by_use={}),
        subjects=Subjects(num=4, num_photos_without=0, num_with_one_photo=0, photos_each=None, counts=None),
        expressions=Expressions(num_photos_without=0, counts=dict.fromkeys(shown, ExpressionCount(3, 3))),
        labels={},
        folds=None,
        pairs=None,
        alignment=Alignment(
            num_photos=12,
            num_by_status={"aligned": 11, "fallback": 1, "unreadable": 0},
            num_several_faces=2,
            confidence=None,
            face_side_px=None,
            failed_by_expression={},
            failures=[],
        ),
        sizes=None,
        duplicates=Duplicates(
            num_groups=1, num_photos=3, num_same_bytes=1, num_contradictory=0, num_across_folds=0, groups=[]
        ),
        lacks=[],
        cautions=["Said of every set.", f"`{role}.jpg` is <odd>."],
    )


def make_world(folder: Path) -> tuple[Path, Params]:
    """Outputs of the earlier stages for two folds, with a mistake of each kind."""
    for fold in (0, 1):
        evaluation = evaluate({"S0/happiness.jpg": "surprise"}, noise=1.0)
        write_evaluation(evaluation, folder / f"evaluation/fold_{fold}")
        write_evaluation(evaluate(), folder / f"evaluation/fold_{fold}/best_on_validation")
        steps = np.arange(40)
        trajectory = pd.DataFrame(
            {"step": steps, "epoch": steps // 20, "loss_identity": 2.0 / (1 + steps), "loss_expression": 1.5}
        )
        trajectory = trajectory.assign(weight_identity=0.3 + 0.1 * fold, weight_expression=0.7 - 0.1 * fold)
        write_table(trajectory, folder / f"training/fold_{fold}/trajectory.csv")
        validation = pd.DataFrame({"epoch": [0, 1], "accuracy": [0.25, 0.5], "loss": [1.6, 1.4]})
        write_table(validation, folder / f"training/fold_{fold}/validation.csv")
        facts = {
            "num_subjects": 4,
            "num_photos": 16,
            "num_steps": 40,
            "num_parameters": 9,
            "model_sha256": "ab" * 32,
            "best_epoch": 1,
        }
        write_json(facts, folder / f"training/fold_{fold}/training.json")
    write_start_evaluation(start_evaluation(), folder / "evaluation/start")
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
        write_result(card(role), folder / "cards" / role / "card.json")
    write_table(pd.DataFrame({"subject": SUBJECTS, "fold": [0, 0, 1, 1]}), folder / "labels/folds.csv", FOLDS)
    write_table(pd.DataFrame(columns=list(DUPLICATES)), folder / "labels/duplicates.csv", DUPLICATES)
    write_table(labels(), folder / "labels/expression.csv")
    return folder, load_params()


def folds_of(folder: Path) -> list[FoldResult]:
    return [read_fold(number, folder / "training", folder / "evaluation") for number in (0, 1)]


def start_of(folder: Path) -> StartResult:
    return read_start(folder / "evaluation")


def summary_of(folder: Path) -> Summary:
    return summarize(folds_of(folder), start_of(folder))


def content_of(world) -> ReportContent:
    folder, params = world
    dirs = {"aligned_dir": folder / "aligned", "labels_dir": folder / "labels", "cards_dir": folder / "cards"}
    dirs["verification_dir"] = folder / "index"
    folds = folds_of(folder)
    return report_content(folds, start_of(folder), params, **dirs, embeddings=map_of(folds[0]))


def map_of(fold: FoldResult) -> EmbeddingMap | None:
    photos = mapped_photos(fold.predictions)
    return embedding_map(fold.number, photos, answered(photos["photo"].tolist(), noise=0.2).answers.embeddings)


def write(world, name: str) -> Path:
    out = world[0] / name
    write_pages(content_of(world), out)
    return out


def this_run() -> ThisRun:
    """With names as long as they come."""
    earlier = ComparedExperiment(
        name="imported_checkpoint_and_more on oulu_casia",
        day="2026-01-02",
        weighting="equal",
        folds="0",
        differences=["train.batch_norm.branches.expression stored (not training)", "other pairs"],
        scores={
            "expression_accuracy": ComparedScore(0.5, 0.4, 0.6, lead=0.1),
            "verification_accuracy": None,
            "authentication_accuracy": ComparedScore(0.8, None, None, lead=-0.02),
        },
    )
    return ThisRun(
        run_id="ef" * 16,
        written=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        commit="cd" * 20,
        changed=tuple(f"dwmtl/training/file_{number}.py" for number in range(7)),
        hardware={"processor": "AMD EPYC <9>", "cores": "2"},
        times={"fold 0": {"train": 3725.0, "evaluate": 61.0}, "fold 1": {}},
        earlier=[earlier],
    )
