"""`params.yaml`, typed and checked: the one place for values.

Every stage loads it whole before it does anything, so that a typo in a late stage's section stops the first stage.
Knows no path but the sets' folders, and nothing of how a value is used.
"""

import difflib
import math
import os
import re
from itertools import combinations
from pathlib import Path, PurePath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML, YAMLError

from dwmtl.errors import ParamsError

Fraction = Annotated[float, Field(ge=0, le=1)]
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Section(BaseModel):
    """A section of `params.yaml`: unknown keys, wrong types and values out of range are errors; it cannot change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class SetParams(Section):
    """A data set: where it lies, how it is read, and what for. Sets of one role are joined."""

    role: Literal["expression", "verification", "identity"] = Field(
        description="expression: trained and tested on, by fold · verification: other people with official pairs, "
        "tested on only · identity: many people, several photos each, the trunk starts from them"
    )
    adapter: str = Field(description="how the folder is read: a name in dwmtl/datasets/adapters.py")
    folder: str = Field(description="the set's folder, relative to the repository's root or absolute")
    is_aligned: bool = Field(description="its pictures are crops already: they are scaled, nothing is detected")
    expressions: dict[str, str | None] | None = Field(
        description="the set's names of expressions -> the common ones, null for one left out; null: as they are"
    )


class RenderParams(Section):
    """The embedded data set: faces the project draws itself."""

    seed: Seed
    difficulty: Fraction = Field(description="0 frontal, evenly lit, clean; 1 strong pose, light, noise and mild peaks")
    num_expression_subjects: PositiveInt = Field(description="people in the Oulu-CASIA tree, six sequences each")
    num_frames: Annotated[int, Field(ge=4)] = Field(description="frames a sequence, neutral to peak")
    num_verification_people: Annotated[int, Field(ge=20)] = Field(
        description="people in the LFW tree; two or more for each of the ten blocks of pairs"
    )
    num_pairs_per_block: PositiveInt = Field(description="genuine pairs, and as many impostor ones, a block of 10")
    num_identity_people: PositiveInt = Field(description="people in the identity tree")
    num_photos_per_person: Annotated[int, Field(ge=2)] = Field(description="photos a person in the identity tree")


class IndexParams(Section):
    """The frame rule: which frames of an expression sequence are used."""

    num_peak_frames: PositiveInt = Field(description="last frames of a sequence that show its expression")


class AlignParams(Section):
    """Face detection (MTCNN) and cropping."""

    crop_px: Annotated[int, Field(ge=80)] = Field(description="side of a crop, and of the network's input, pixels")
    crop_form: Literal["margin_in_crop", "margin_in_photo", "similarity"] = Field(
        description="margin_in_crop: the box, grown by a share of the face, the margin as wide in every crop "
        "[facenet-pytorch] · margin_in_photo: the box, grown by pixels of the photo [facenet] · similarity: five "
        "landmarks laid on a template, the face upright [insightface]"
    )
    margin_px: Annotated[int, Field(ge=0)] = Field(
        description="width the box gains, in pixels of the crop or of the photo; of no meaning to `similarity`"
    )
    min_face_px: Annotated[int, Field(ge=12)] = Field(description="smallest face searched for, pixels of the photo")
    thresholds: Annotated[list[Fraction], Field(min_length=3, max_length=3)] = Field(
        description="confidence kept by the P-, R- and O-Net"
    )
    pyramid_factor: Annotated[float, Field(gt=0, lt=1)] = Field(description="scale from one pyramid level to the next")
    select: Literal["center_weighted_size", "largest", "most_confident"] = Field(
        description="which of several faces is taken"
    )
    batch_size: PositiveInt = Field(description="photos detected together")
    crops_a_shard: PositiveInt | None = Field(
        description="photos whose crops go into one archive; null: a file each, which DVC bears up to some hundred "
        "thousand [10000]"
    )

    @model_validator(mode="after")
    def _margin_leaves_a_face(self):
        if self.crop_form == "margin_in_crop" and self.margin_px >= self.crop_px:
            raise ValueError(f"margin_px must be < crop_px ({self.crop_px}). Got {self.margin_px} instead.")
        return self


class LabelsParams(Section):
    """Which photos of the expression set are used as what, and its subject-independent folds."""

    num_folds: Annotated[int, Field(ge=2)] = Field(description="k of the k-fold cross-validation over subjects")
    seed: Seed | None = Field(
        description="shuffles the sorted subjects before they are cut; null: cut as sorted. Also draws the neutral "
        "photos that max_neutral_per_subject keeps; null: as 0"
    )
    stratify_by_expression: bool = Field(
        description="whether subjects are dealt so that the folds have about as many photos of each expression"
    )
    folds: dict[int, Annotated[list[str], Field(min_length=1)]] | None = Field(
        description="somebody's split, fold -> its subjects, as `dwmtl import-folds` prints it: subjects of folds not "
        "listed are cut into these; null: all are cut"
    )
    has_neutral: bool = Field(description="whether neutral is a class of its own (7 classes on Oulu-CASIA, else 6)")
    max_neutral_per_subject: PositiveInt | None = Field(
        description="photos of a subject that are of class neutral; further neutral photos are drawn to have no "
        "expression: they train identity and stay references of pairs; null: all are"
    )
    drop_duplicates: bool = Field(
        description="whether of photos with the same bytes or pixels one is kept, and none where subject or expression "
        "contradict"
    )

    @field_validator("folds")
    @classmethod
    def _subject_has_one_fold(cls, folds: dict[int, list[str]] | None) -> dict[int, list[str]] | None:
        seen: dict[str, int] = {}
        for fold, subjects in (folds or {}).items():
            for subject in subjects:
                if subject in seen:
                    raise ValueError(f"folds must list a subject once. Got {subject} in {seen[subject]} and in {fold}.")
                seen[subject] = fold
        return folds

    @model_validator(mode="after")
    def _listed_folds_exist(self):
        wrong = sorted(fold for fold in self.folds or () if not 0 <= fold < self.num_folds)
        if wrong:
            raise ValueError(
                f"folds must be numbered from 0 and < num_folds ({self.num_folds}). Got fold {wrong[0]} instead."
            )
        return self


class PairsParams(Section):
    """Pairs with expressions of a fold's test subjects."""

    required_expressions: Annotated[list[str], Field(min_length=1)] = Field(description="what authentication asks for")
    references: Literal["neutral", "all"] = Field(
        description="neutral: the first neutral photo of each sequence; all: every neutral photo and every peak"
    )
    num_blocks: Annotated[int, Field(ge=2)] = Field(description="blocks of the verification cross-validation")
    seed: Seed


class NetworkParams(Section):
    """The network's body. Defaults of the authors in brackets where ours differ."""

    trunk: Annotated[str, Field(pattern=r"^(facelivenet|inception_resnet_v1|timm:[\w.]+)$")] = Field(
        description="facelivenet (1/1/1 blocks), inception_resnet_v1 (5/10/5, facenet's), or timm:<a model of timm>"
    )
    bottleneck: PositiveInt | None = Field(
        description="length of the embedding, by a linear layer with batch norm [facenet: 512]; null: the trunk's width"
    )
    standardization: Literal["per_image", "fixed"] = Field(
        description="of a crop: mean 0 and deviation 1 a crop, or (x - 127.5) / 128 [facenet-pytorch]"
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(description="probability to drop, before the heads")
    batch_norm_momentum: Annotated[float, Field(gt=0, le=1)] = Field(
        description="share of the batch in the running statistics [0.005: needs thousands of steps]"
    )
    linear_sigma: PositiveFloat = Field(description="deviation of a linear layer's initial weights [0.1]")


class LinearHeadParams(Section):
    """One linear layer."""

    name: Literal["linear"]
    relu_on_logits: bool = Field(description="a ReLU after the logits: a fresh head can die under it")


class HiddenHeadParams(Section):
    """Linear to 128, ReLU, linear."""

    name: Literal["hidden"]
    relu_on_logits: bool = Field(description="the authors' last ReLU [true]: a fresh head can die under it")


class ArcFaceHeadParams(Section):
    """Cosines of the vector and a class's weights, with an additive angular margin (Deng et al. 2019)."""

    name: Literal["arcface"]
    margin_deg: Annotated[float, Field(ge=0, lt=90)] = Field(description="added to the angle of the true class")
    scale: PositiveFloat = Field(description="factor of the cosines")


class CosFaceHeadParams(Section):
    """Cosines of the vector and a class's weights, with an additive cosine margin (Wang et al. 2018)."""

    name: Literal["cosface"]
    margin: Annotated[float, Field(ge=0, lt=1)] = Field(description="taken off the cosine of the true class")
    scale: PositiveFloat = Field(description="factor of the cosines")


HeadParams = Annotated[
    LinearHeadParams | HiddenHeadParams | ArcFaceHeadParams | CosFaceHeadParams, Field(discriminator="name")
]


class LossParams(Section):
    """A task's loss: cross-entropy, and a centre loss on the task's vector (Wen et al. 2016) where it has a factor."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    center_factor: NonNegativeFloat = Field(description="weight of the centre loss beside the cross-entropy; 0: none")
    center_alpha: Fraction = Field(description="share of a centre kept when it moves; 1: centres never move")


class TaskParams(Section):
    """A task: what is told of a face, from a branch and a head of its own."""

    labels: str = Field(description="column of the labels; each of its values is a class, an empty cell no label")
    head: HeadParams
    loss: LossParams

    @model_validator(mode="after")
    def _margin_heads_do_not_smooth(self):
        if self.head.name in ("arcface", "cosface") and self.loss.label_smoothing:
            raise ValueError(f"loss.label_smoothing must be 0 under a margin. Got {self.loss.label_smoothing} instead.")
        return self


class AugmentParams(Section):
    """Random changes to a training crop."""

    flip_probability: Fraction
    max_shift_fraction: Annotated[float, Field(ge=0, le=0.5)] = Field(description="of the crop's side, each way")
    max_rotation_deg: Annotated[float, Field(ge=0, le=180)]
    max_zoom_fraction: Annotated[float, Field(ge=0, lt=1)]
    max_brightness_fraction: Annotated[float, Field(ge=0, lt=1)] = Field(description="gain, drawn around 1")
    erase_probability: Fraction = Field(description="of a rectangle of the crop being set to grey")


class OptimizerParams(Section):
    """An optimiser and its learning rate."""

    name: Literal["adamw", "sgd", "rmsprop_tf"] = Field(description="sgd: momentum 0.9; rmsprop_tf: the authors'")
    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat
    schedule: str = Field(
        description="constant; cosine (falls to 0 over the stage); or rates by epoch in the authors' form, a line "
        "`epoch: rate` each, # comments: the last line whose epoch has come holds, in place of learning_rate"
    )

    @field_validator("schedule")
    @classmethod
    def _schedule_can_be_read(cls, text: str) -> str:
        if text not in ("constant", "cosine"):
            parse_schedule(text)
        return text


class FitParams(Section):
    """What every training has."""

    num_epochs: Annotated[int, Field(ge=0)] = Field(description="0: the network stays as it starts")
    batch_size: Annotated[int, Field(ge=2)]
    seed: Seed = Field(description="initial weights, order of the samples, augmentation, dropout")
    precision: Literal["auto", "32-true", "bf16-mixed"] = Field(
        description="of the convolutions; auto: bf16 on a GPU that has it and on a CPU with AMX, else float32. Losses, "
        "centres and task weights are always float32"
    )
    clip_grad_norm: PositiveFloat = Field(description="greatest global norm of a gradient, network and unit each")
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        description="of a moving average of the weights, kept beside the model [0.9999]; null: none"
    )
    on_non_finite: Literal["stop", "skip"] = Field(
        description="when a loss or gradient is NaN or infinite: stop, or leave the step out and count it"
    )
    optimizer: OptimizerParams
    augment: AugmentParams


class PretrainParams(FitParams):
    """Identity-only training on the identity set."""


class UnitParams(Section):
    """How a weighting that learns by a loss of its own is trained."""

    optimizer: Literal["sgd", "adamw", "rmsprop_tf"] = Field(description="sgd with momentum 0.9")
    learning_rate: PositiveFloat


class DynamicWeightingParams(UnitParams):
    """The paper's dynamic weights."""

    normalize_logits: bool = Field(description="unit length before the softmax; bounds two weights to 0.1955..0.8045")
    detach_weights: bool = Field(description="true: the total loss does not reach the trunk through the weights")
    sigma: PositiveFloat = Field(description="keeps weight / loss finite at a loss of 0")
    floors: dict[str, NonNegativeFloat] | None = Field(description="by task, added to its weight; null: none")


class NaiveDynamicWeightingParams(Section):
    """The authors' baseline: the unit minimises the total loss with everything else."""

    normalize_logits: bool


class FixedWeightingParams(Section):
    """Constant task weights of one's own choice."""

    weights: dict[str, NonNegativeFloat] = Field(description="by task; they are scaled to sum to 1")

    @field_validator("weights")
    @classmethod
    def _some_task_has_a_weight(cls, weights: dict[str, float]) -> dict[str, float]:
        if not sum(weights.values()):
            raise ValueError("a weight must be > 0.")
        return weights


class SingleTaskWeightingParams(Section):
    """One task alone: the single-task baseline."""

    task: str


class UncertaintyWeightingParams(Section):
    """Homoscedastic uncertainty (Kendall et al. 2018): sum of L / (2 e^s) + s / 2, s a parameter a task."""

    initial_log_variance: float = Field(description="s at the start [-0.5]")


class DwaWeightingParams(Section):
    """Dynamic weight average (Liu et al. 2019), from the losses of the last two epochs."""

    temperature: PositiveFloat = Field(description="higher: more even weights [2]")


class GradNormWeightingParams(UnitParams):
    """GradNorm (Chen et al. 2018): weights that even out the tasks' gradients at the last shared layer."""

    alpha: NonNegativeFloat = Field(description="how strongly slow tasks are pulled on [1.5]")


class WeightingParams(Section):
    """The rule that weighs the tasks, and the settings of each rule that has any; only the named one's matter.

    The names from `pcgrad` on are TorchJD's rules on the tasks' gradients of the whole trunk.
    """

    name: Literal[
        "dynamic", "naive_dynamic", "fixed", "equal", "single_task", "uncertainty", "dwa", "rlw", "gradnorm",
        "pcgrad", "cagrad", "mgda", "upgrad", "imtl_g", "aligned_mtl",
    ]  # fmt: skip
    dynamic: DynamicWeightingParams
    naive_dynamic: NaiveDynamicWeightingParams
    fixed: FixedWeightingParams
    single_task: SingleTaskWeightingParams
    uncertainty: UncertaintyWeightingParams
    dwa: DwaWeightingParams
    gradnorm: GradNormWeightingParams

    @property
    def settings(self) -> Section | None:
        """Those of the named rule; None for a rule without any."""
        return getattr(self, self.name, None)


class BatchNormParams(Section):
    """Whether a part's batch norm uses its running statistics (frozen) or the batch's (training)."""

    trunk: Literal["frozen", "training"]
    branches: dict[str, Literal["frozen", "training"]] = Field(description="by task")


class TrainParams(FitParams):
    """Multi-task training of one fold."""

    start: Annotated[str, Field(pattern=r"^\w[\w.-]*$")] = Field(
        description="the model in data/models whose weights are filled in: `pretrain`, which the stage makes (with "
        "pretrain.num_epochs 0: initial weights), or one of `dwmtl import-checkpoint`"
    )
    sets: Annotated[list[Literal["expression", "identity"]], Field(min_length=1)] = Field(
        description="trained on: [expression], or also the identity set, whose photos have no other label"
    )
    validation_fraction: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        description="share of the training subjects, at least one, that are not trained on but choose the best epoch, "
        "which is reported beside the last; 0: none"
    )
    batch_norm: BatchNormParams
    weighting: WeightingParams

    @field_validator("start")
    @classmethod
    def _start_is_no_fold(cls, start: str) -> str:
        if start.startswith("fold_"):
            raise ValueError(f"start must not be a fold's model: it was trained on others' test subjects. Got {start}.")
        return start

    @field_validator("sets")
    @classmethod
    def _expression_set_is_trained_on(cls, sets: list[str]) -> list[str]:
        if "expression" not in sets or len(set(sets)) < len(sets):
            raise ValueError("sets must hold expression, each set once.")
        return sets


class EvaluateParams(Section):
    """How a trained network is scored."""

    weights: Literal["raw", "ema"] = Field(description="the trained weights, or their moving average")
    batch_size: PositiveInt
    distance: Literal["squared_euclidean", "cosine"]
    flip: Literal["none", "concatenate", "sum"] = Field(description="what becomes of the mirrored crop's embedding")
    subtract_mean: bool = Field(description="take the mean embedding of the other blocks away before comparing")
    far_targets: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Field(min_length=1)] = Field(
        description="false accept rates at which VAL is given"
    )

    @model_validator(mode="after")
    def _far_targets_differ(self):
        if len({f"{target:g}" for target in self.far_targets}) < len(self.far_targets):
            raise ValueError(f"far_targets must differ. Got {self.far_targets} instead.")
        return self


class ComputeParams(Section):
    """What the stages run on. No stage depends on it: on a CPU it changes a result by rounding at most; but several
    processes draw dropout each for itself."""

    accelerator: Literal["auto", "cpu", "cuda"]
    num_devices: PositiveInt = Field(description="processes of a training on a node, each with a device of its own")
    num_nodes: PositiveInt = Field(description="nodes of a job that torchrun or a scheduler started, else 1")
    num_workers: Annotated[int, Field(ge=0)] = Field(
        description="processes that align photos or decode crops; 0: the stage's own"
    )
    crop_cache_gib: NonNegativeFloat = Field(
        description="training crops are decoded once and kept in memory where all fit into this"
    )
    compile: Literal["auto", "on", "off"] = Field(
        description="torch.compile; auto: on a GPU. On a CPU it changes a result's last digits"
    )
    deterministic: bool = Field(description="slower kernels on a GPU, the same bytes every time; a CPU always has them")
    checkpoint_interval_s: NonNegativeFloat = Field(
        description="seconds from one saved state of a training to the next: what a killed one loses at most"
    )


class TrackingParams(Section):
    """MLflow. No stage depends on it. The server is MLFLOW_TRACKING_URI, by default sqlite:///mlflow.db."""

    enabled: bool
    experiment: str = Field(min_length=1, description="the MLflow experiment's name")
    register_as: Annotated[str, Field(pattern=r"^[^/:]+$")] | None = Field(
        description="every fold's model becomes a version of this registered model; null: none does"
    )


class Params(Section):
    """`params.yaml` as a whole."""

    sets: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], SetParams] = Field(description="by name")
    folds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = Field(description="folds to run, from 0")
    render: RenderParams
    index: IndexParams
    align: AlignParams
    labels: LabelsParams
    pairs: PairsParams
    network: NetworkParams
    tasks: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], TaskParams] = Field(
        description="by name, in the order of their losses and weights; identity and expression are among them"
    )
    pretrain: PretrainParams
    train: TrainParams
    evaluate: EvaluateParams
    compute: ComputeParams
    tracking: TrackingParams

    def sets_of(self, role: str) -> list[str]:
        """Names of the sets with a role, sorted."""
        return sorted(name for name, values in self.sets.items() if values.role == role)

    @model_validator(mode="after")
    def _every_role_is_filled(self):
        for role in ("expression", "verification", "identity"):
            names = self.sets_of(role)
            if not names or (role == "verification" and len(names) > 1):
                need = "exactly one set" if role == "verification" else "a set"
                raise ValueError(f"sets must hold {need} of the role {role}. Got {names} instead.")
        return self

    @model_validator(mode="after")
    def _nobody_is_trained_and_tested_on(self):
        folders = {name: PurePath(os.path.realpath(values.folder)) for name, values in self.sets.items()}
        for a, b in combinations(folders, 2):
            if folders[a].is_relative_to(folders[b]) or folders[b].is_relative_to(folders[a]):
                raise ValueError(
                    f"sets.{a}.folder and sets.{b}.folder are the same or one lies in the other ({folders[a]}, "
                    f"{folders[b]}): people would be tested whom the network was trained on. Choose folders of "
                    "different people."
                )
        return self

    @model_validator(mode="after")
    def _folds_exist_once(self):
        if len(set(self.folds)) < len(self.folds):
            raise ValueError(f"folds must name each fold once. Got {self.folds} instead.")
        if max(self.folds) >= self.labels.num_folds:
            raise ValueError(
                f"folds must be < labels.num_folds ({self.labels.num_folds}), counted from 0. Got {self.folds} instead."
            )
        return self

    @model_validator(mode="after")
    def _batches_can_be_shared(self):
        processes = self.compute.num_devices * self.compute.num_nodes
        for name, values in {"pretrain": self.pretrain, "train": self.train}.items():
            if values.batch_size % processes:
                raise ValueError(
                    f"{name}.batch_size must be a multiple of the processes ({processes}: compute.num_devices times "
                    f"compute.num_nodes). Got {values.batch_size} instead."
                )
        return self

    @model_validator(mode="after")
    def _tasks_are_named_alike_everywhere(self):
        tasks = list(self.tasks)
        if not {"identity", "expression"} <= set(tasks):
            raise ValueError(f"tasks must hold identity (it gives the embedding) and expression. Got {tasks} instead.")
        weighting = self.train.weighting
        named = {
            "train.batch_norm.branches": self.train.batch_norm.branches,
            "train.weighting.fixed.weights": weighting.fixed.weights if weighting.name == "fixed" else tasks,
            "train.weighting.dynamic.floors": weighting.dynamic.floors or tasks,
        }
        for key, names in named.items():
            if set(names) != set(tasks):
                raise ValueError(f"{key} must name every task ({', '.join(tasks)}). Got {list(names)} instead.")
        if weighting.single_task.task not in tasks:
            raise ValueError(
                f"train.weighting.single_task.task must be one of {', '.join(tasks)}. "
                f"Got {weighting.single_task.task} instead."
            )
        return self

    @model_validator(mode="after")
    def _moving_average_is_kept_where_it_is_evaluated(self):
        if self.evaluate.weights == "ema" and self.train.ema_decay is None:
            raise ValueError("evaluate.weights is ema, and train.ema_decay is null. Set a decay, 0.999 say.")
        return self


def set_params(params: Params, name: str) -> SetParams:
    """The section of a set.

    Raises:
        ParamsError: there is no such set.
    """
    if name not in params.sets:
        raise ParamsError(f"params.yaml has no set {name}; it has {', '.join(params.sets)}.")
    return params.sets[name]


def parse_schedule(text: str) -> dict[int, float]:
    """Learning rates by epoch in the authors' form: lines `epoch: rate`, `#` begins a comment.

    Returns:
        Epoch, from 0 -> learning rate, in rising order; 0 is among them.
    Raises:
        ValueError: a line that is neither, an epoch named twice, or none for epoch 0.
    """
    rates: dict[int, float] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        match = re.fullmatch(r"(\d+)\s*:\s*(\d*\.?\d+(?:[eE][+-]?\d+)?)", entry)
        if match is None or not 0 < float(match[2]) < math.inf:
            raise ValueError(
                f"schedule must be constant, cosine or lines `epoch: rate`. Got {entry!r} in line {number} instead."
            )
        if int(match[1]) in rates:
            raise ValueError(f"schedule must name an epoch once. Got epoch {match[1]} again in line {number}.")
        rates[int(match[1])] = float(match[2])
    if 0 not in rates:
        raise ValueError(f"schedule must have a rate for epoch 0. Got epochs {sorted(rates)} instead.")
    return dict(sorted(rates.items()))


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check `params.yaml`.

    Raises:
        ParamsError: the file is missing or no YAML, or a key is unknown, missing, of the wrong type or out of range;
            the message names every such key.
    """
    try:
        values = YAML(typ="safe", pure=True).load(Path(path).read_text())  # as DVC reads it: 1e-4 is a number
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such file. Run from the repository's root, or name the file.") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path}: not YAML: {error}") from None
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise ParamsError("\n".join(f"{path}: {line}" for line in _explain(error, values))) from None


def _explain(error: ValidationError, values: object) -> list[str]:
    """One sentence a wrong key, with the key's dotted path as it stands in the file."""
    lines = []
    for detail in error.errors():
        path = _path_in_file(detail["loc"], values)
        key = ".".join(path) or "(top level)"
        if detail["type"] == "extra_forbidden":
            lines.append(f"{key}: unknown key.{_suggestion(path)}")
        elif detail["type"] == "missing":
            lines.append(f"{key}: the key is missing.")
        else:
            message = detail["msg"].removeprefix("Value error, ")
            got = "" if "Got" in message or isinstance(detail["input"], dict) else f". Got {detail['input']!r} instead."
            lines.append(f"{key}: {message}{got}")
    return lines


def _path_in_file(location: tuple, values: object) -> list[str]:
    """The keys of an error's location that stand in the file; pydantic also names the member of a union."""
    path = []
    for number, part in enumerate(location):
        last = number == len(location) - 1
        inside = (isinstance(values, dict) and part in values) or (isinstance(values, list) and isinstance(part, int))
        if inside:
            values = values[part]
        elif not last:
            continue
        path.append(str(part))
    return path


def _suggestion(path: list[str]) -> str:
    """The nearest known key, anywhere in the file's sections."""
    known = sorted({name for section in _sections(Section) for name in section.model_fields})
    near = difflib.get_close_matches(path[-1], known, n=1)
    return f" Did you mean {near[0]}?" if near else ""


def _sections(section: type[Section]) -> list[type[Section]]:
    return [child for direct in section.__subclasses__() for child in (direct, *_sections(direct))]
