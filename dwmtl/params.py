"""`params.yaml`, typed and checked: the one place for values.

Every stage loads it whole before it does anything, so that a typo in a late stage's section stops the first stage.
Knows no path but the sets' folders, and nothing of how a value is used.
"""

import difflib
import os
from itertools import combinations
from pathlib import Path, PurePath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
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
    """Where a data set lies and how it is read."""

    adapter: str = Field(description="how the folder is read: a name in dwmtl/datasets/adapters.py")
    folder: str = Field(description="the set's folder, relative to the repository's root or absolute")


class SetsParams(Section):
    """The active data sets."""

    expression: SetParams = Field(description="subjects with expressions: trained and tested on by fold")
    verification: SetParams = Field(description="other people with official verification pairs: tested on only")
    identity: SetParams = Field(description="many people, several photos each: the trunk starts from them")

    @model_validator(mode="after")
    def _nobody_is_trained_and_tested_on(self):
        folders = {role: PurePath(os.path.abspath(getattr(self, role).folder)) for role in type(self).model_fields}
        for a, b in combinations(folders, 2):
            if folders[a].is_relative_to(folders[b]) or folders[b].is_relative_to(folders[a]):
                raise ValueError(
                    f"{a}.folder and {b}.folder are the same or one lies in the other ({folders[a]}, {folders[b]}): "
                    "people would be tested whom the network was trained on. Choose folders of different people."
                )
        return self


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
    margin_px: Annotated[int, Field(ge=0)] = Field(description="width the box gains, in pixels of the crop")
    min_face_px: Annotated[int, Field(ge=12)] = Field(description="smallest face searched for, pixels of the photo")
    thresholds: Annotated[list[Fraction], Field(min_length=3, max_length=3)] = Field(
        description="confidence kept by the P-, R- and O-Net"
    )
    pyramid_factor: Annotated[float, Field(gt=0, lt=1)] = Field(description="scale from one pyramid level to the next")
    select: Literal["center_weighted_size", "largest", "most_confident"] = Field(
        description="which of several faces is taken"
    )
    batch_size: PositiveInt = Field(description="photos of one size detected together")

    @model_validator(mode="after")
    def _margin_leaves_a_face(self):
        if self.margin_px >= self.crop_px:
            raise ValueError(f"margin_px must be < crop_px ({self.crop_px}). Got {self.margin_px} instead.")
        return self


class LabelsParams(Section):
    """Subject-independent folds of the expression set."""

    num_folds: Annotated[int, Field(ge=2)] = Field(description="k of the k-fold cross-validation over subjects")
    seed: Seed | None = Field(description="shuffles the sorted subjects before they are cut; null: cut as sorted")
    has_neutral: bool = Field(description="whether neutral is a class of its own (7 classes on Oulu-CASIA, else 6)")


class PairsParams(Section):
    """Pairs with expressions of a fold's test subjects."""

    required_expressions: Annotated[list[str], Field(min_length=1)] = Field(description="what authentication asks for")
    num_blocks: Annotated[int, Field(ge=2)] = Field(description="blocks of the verification cross-validation")
    seed: Seed


class NetworkParams(Section):
    """The network. Defaults of the authors in brackets where ours differ."""

    trunk: Literal["facelivenet"]
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(description="probability to drop, before the heads")
    batch_norm_momentum: Annotated[float, Field(gt=0, le=1)] = Field(
        description="share of the batch in the running statistics [0.005: needs thousands of steps]"
    )
    linear_sigma: PositiveFloat = Field(description="deviation of a linear layer's initial weights [0.1]")
    relu_on_expression_logits: bool = Field(description="the authors' last ReLU [true]: a fresh head can die under it")


class AugmentParams(Section):
    """Random changes to a training crop."""

    flip_probability: Fraction
    max_shift_fraction: Annotated[float, Field(ge=0, le=0.5)] = Field(description="of the crop's side, each way")
    max_rotation_deg: Annotated[float, Field(ge=0, le=180)]
    max_zoom_fraction: Annotated[float, Field(ge=0, lt=1)]
    max_brightness_fraction: Annotated[float, Field(ge=0, lt=1)] = Field(description="gain, drawn around 1")
    erase_probability: Fraction = Field(description="of a rectangle of the crop being set to grey")


class CenterLossParams(Section):
    """Centre loss on the embedding (Wen et al. 2016), as the authors use it."""

    factor: NonNegativeFloat = Field(description="its weight beside the cross-entropy; 0 turns it off")
    alpha: Fraction = Field(description="share of a centre kept when it moves; 1: centres never move")


class OptimizerParams(Section):
    """An optimiser and its learning rate."""

    name: Literal["adamw", "sgd", "rmsprop_tf"] = Field(description="sgd: momentum 0.9; rmsprop_tf: the authors'")
    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat
    schedule: Literal["constant", "cosine"] = Field(description="over the stage's steps; cosine falls to 0")


class FitParams(Section):
    """What every training has."""

    num_epochs: PositiveInt
    batch_size: Annotated[int, Field(ge=2)]
    seed: Seed = Field(description="initial weights, order of the samples, augmentation, dropout")
    precision: Literal["32-true", "bf16-mixed"] = Field(
        description="of the convolutions; losses, centres and task weights are always float32"
    )
    clip_grad_norm: PositiveFloat = Field(description="greatest global norm of a gradient, network and unit each")
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    optimizer: OptimizerParams
    center_loss: CenterLossParams
    augment: AugmentParams


class PretrainParams(FitParams):
    """Identity-only training on the identity set."""


class DynamicWeightingParams(Section):
    """The paper's dynamic weights."""

    name: Literal["dynamic"]
    normalize_logits: bool = Field(description="unit length before the softmax; bounds two weights to 0.1955..0.8045")
    detach_weights: bool = Field(description="true: the total loss does not reach the trunk through the weights")
    sigma: PositiveFloat = Field(description="keeps weight / loss finite at a loss of 0")
    optimizer: Literal["sgd", "rmsprop_tf"] = Field(description="of the unit; sgd with momentum 0.9")
    learning_rate: PositiveFloat = Field(description="of the unit")


class NaiveDynamicWeightingParams(Section):
    """The authors' baseline: the unit minimises the total loss with everything else."""

    name: Literal["naive_dynamic"]
    normalize_logits: bool


class FixedWeightingParams(Section):
    """Constant task weights."""

    name: Literal["fixed"]
    weights: dict[str, NonNegativeFloat] | None = Field(description="by task; they are scaled to sum to 1; null: equal")

    @model_validator(mode="after")
    def _every_task_has_a_weight(self):
        tasks = {"identity", "expression"}
        if self.weights is not None and (set(self.weights) != tasks or sum(self.weights.values()) == 0):
            raise ValueError(f"weights must name {sorted(tasks)}, not all 0. Got {self.weights} instead.")
        return self


class BatchNormParams(Section):
    """Whether a part's batch norm uses its running statistics (frozen) or the batch's (training)."""

    trunk: Literal["frozen", "training"]
    identity_branch: Literal["frozen", "training"]
    expression_branch: Literal["frozen", "training"]


class TrainParams(FitParams):
    """Multi-task training of one fold."""

    start: Literal["pretrain", "scratch"] = Field(description="from the stage `pretrain`, or from initial weights")
    batch_norm: BatchNormParams
    weighting: Annotated[
        DynamicWeightingParams | NaiveDynamicWeightingParams | FixedWeightingParams, Field(discriminator="name")
    ]


class EvaluateParams(Section):
    """How a trained network is scored."""

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
    """What the stages run on. No stage depends on it: it must not change a result on the CPU."""

    accelerator: Literal["auto", "cpu", "cuda"]
    num_workers: Annotated[int, Field(ge=0)] = Field(description="processes that decode crops; 0: the stage's own")


class TrackingParams(Section):
    """MLflow. No stage depends on it. The server is MLFLOW_TRACKING_URI, by default sqlite:///mlflow.db."""

    enabled: bool
    experiment: str = Field(min_length=1, description="the MLflow experiment's name")


class Params(Section):
    """`params.yaml` as a whole."""

    sets: SetsParams
    folds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = Field(description="folds to run, from 0")
    render: RenderParams
    index: IndexParams
    align: AlignParams
    labels: LabelsParams
    pairs: PairsParams
    network: NetworkParams
    pretrain: PretrainParams
    train: TrainParams
    evaluate: EvaluateParams
    compute: ComputeParams
    tracking: TrackingParams

    @model_validator(mode="after")
    def _folds_exist_once(self):
        if len(set(self.folds)) < len(self.folds):
            raise ValueError(f"folds must name each fold once. Got {self.folds} instead.")
        if max(self.folds) >= self.labels.num_folds:
            raise ValueError(
                f"folds must be < labels.num_folds ({self.labels.num_folds}), counted from 0. Got {self.folds} instead."
            )
        return self


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
            got = "" if "Got" in message else f". Got {detail['input']!r} instead."
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
