"""The sections `pretrain`, `train` and `compute` of `params.yaml`."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, TypeVar

from pydantic import Field, field_validator

from dwmtl.section import Fraction, NonNegativeFloat, PositiveFloat, PositiveInt, Section, Seed
from dwmtl.weighting.params import DynamicWeightingParams, WeightingParams

Value = TypeVar("Value")


class AugmentParams(Section):
    """Random changes to a training crop."""

    flip_probability: Fraction = 0.5
    max_shift_fraction: Annotated[float, Field(ge=0, le=0.5)] = Field(
        default=0.05, description="of the crop's side, each way"
    )
    max_rotation_deg: Annotated[float, Field(ge=0, le=180)] = Field(default=5.0, description="each way")
    max_zoom_fraction: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.05, description="factor, drawn around 1")
    max_brightness_fraction: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.2, description="gain, drawn around 1"
    )
    erase_probability: Fraction = Field(default=0.0, description="of a rectangle of the crop being set to grey")


class OptimizerParams(Section):
    """An optimiser and its learning rate."""

    name: Literal["adamw", "sgd", "rmsprop_tf"] = Field(
        default="adamw", description="sgd: momentum 0.9; rmsprop_tf: the authors'"
    )
    learning_rate: PositiveFloat = 5e-4
    weight_decay: NonNegativeFloat = 1e-2
    warmup_fraction: Fraction = Field(
        default=0.0, description="share of the steps, the first ones, over which the rate rises in a line; 0: none"
    )
    schedule: str = Field(
        default="cosine",
        description="constant; cosine (falls to 0 over the stage); or rates by epoch in the authors' form, a line "
        "`epoch: rate` each, # comments: the last line whose epoch has come holds, in place of learning_rate",
    )

    @field_validator("schedule")
    @classmethod
    def _schedule_can_be_read(cls, text: str) -> str:
        if text not in ("constant", "cosine"):
            parse_schedule(text)
        return text


class FitParams(Section):
    """What every training has."""

    num_epochs: Annotated[int, Field(ge=0)] = Field(default=6, description="0: the network stays as it starts")
    batch_size: Annotated[int, Field(ge=2)] = 16
    seed: Seed = Field(default=0, description="initial weights, order of the samples, augmentation, dropout")
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = Field(
        default="auto",
        description="of the convolutions; auto: bf16 on a GPU that has it and on a CPU with AMX or AVX512_BF16, "
        "float16 (16-mixed) on another GPU with tensor cores, else float32. The losses are always float32",
    )
    clip_grad_norm: PositiveFloat = Field(
        default=5.0, description="greatest global norm of a gradient, network and unit each"
    )
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="of a moving average of the weights, kept beside the model [0.9999]; null: none"
    )
    on_non_finite: Literal["stop", "skip"] = Field(
        default="stop",
        description="when a loss or gradient is NaN or infinite: stop, or leave the step out and count it",
    )
    optimizer: OptimizerParams = OptimizerParams()
    augment: AugmentParams = AugmentParams()


class PretrainParams(FitParams):
    """Identity-only training on the identity set."""


class BatchNormParams(Section):
    """Whether a part's batch norm uses its running statistics (frozen) or the batch's (training)."""

    trunk: Literal["frozen", "training"] = "training"
    branches: dict[str, Literal["frozen", "training"]] = Field(
        default={}, description="by task; training where not named"
    )


class TrainParams(FitParams):
    """Multi-task training of one fold."""

    start: Annotated[str, Field(pattern=r"^\w[\w.-]*$")] = Field(
        default="pretrain",
        description="the model in data/models whose weights are filled in: `pretrain`, which the stage makes (with "
        "pretrain.num_epochs 0: initial weights), or one of `dwmtl import-checkpoint`",
    )
    sets: Annotated[list[Literal["expression", "identity"]], Field(min_length=1)] = Field(
        default=["expression"],
        description="trained on: [expression], or also the identity set, whose photos have no other label",
    )
    validation_fraction: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        default=0.15,
        description="share of the training subjects, at least one, that are not trained on but choose the best epoch, "
        "which is reported beside the last; 0: none. Under labels.protocol official: of the training photos whose "
        "subject is unknown, too; and the official validation part takes its place where there is one",
    )
    keep: NonNegativeFloat = Field(
        default=0.0,
        description="weight of mean(1 - cos) of a crop's embedding and the start's, so that what the start knew of "
        "faces is not forgotten [5]; no task, and no task weight on it; 0: none",
    )
    learning_rate_factors: dict[str, PositiveFloat] = Field(
        default={},
        description="of optimizer.learning_rate, by part: trunk, branches, heads, or a task's own, such as "
        "heads.expression, which is before heads; 1 where not named",
    )
    freeze: dict[str, PositiveInt | None] = Field(
        default={},
        description="parts that do not train at first -> the epochs until they do, null for ever; named as above. Such "
        "a part also keeps its batch-norm statistics and does not drop out",
    )
    balanced_task: str | None = Field(
        default=None,
        description="an epoch draws its photos with replacement, each class of this task as often as every other; "
        "null: every photo once",
    )
    batch_norm: BatchNormParams = BatchNormParams()
    weighting: WeightingParams = DynamicWeightingParams()

    @property
    def start_is_imported(self) -> bool:
        """Whether the stage `pretrain` has nothing to do with it."""
        return self.start != "pretrain"

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


class ComputeParams(Section):
    """What the stages run on. No stage depends on it: on a CPU it changes a result by rounding at most; but several
    processes draw dropout each for itself."""

    accelerator: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: a GPU if there is one")
    num_devices: PositiveInt = Field(
        default=1, description="processes of a training on a node, each with a device of its own"
    )
    num_nodes: PositiveInt = Field(default=1, description="nodes of a job that torchrun or a scheduler started, else 1")
    num_workers: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="processes that align photos or decode crops; 0: the stage's own; null: a process per core aligns "
        "a set of thousands of photos, and crops are decoded in the stage's own",
    )
    crop_cache_gib: NonNegativeFloat = Field(
        default=2.0, description="training crops are decoded once and kept in memory where all fit into this"
    )
    compile: Literal["auto", "on", "off"] = Field(
        default="auto", description="torch.compile; auto: on a GPU. On a CPU it changes a result's last digits"
    )
    deterministic: bool = Field(
        default=False, description="slower kernels on a GPU, the same bytes every time; a CPU always has them"
    )
    checkpoint_interval_s: NonNegativeFloat = Field(
        default=300.0,
        description="seconds from one saved state of a training to the next: what a killed one loses at most",
    )

    @property
    def num_loader_workers(self) -> int:
        """Processes that decode crops, beside the stage's own."""
        return self.num_workers or 0


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


def part_names(tasks: Iterable[str]) -> set[str]:
    """The names of all parts: the trunk, all branches or heads together, and each task's own."""
    return {"trunk", "branches", "heads", *(f"{kind}.{task}" for task in tasks for kind in ("branches", "heads"))}


def smallest_parts(tasks: Iterable[str]) -> list[str]:
    """The parts that hold no other, in the network's order."""
    tasks = list(tasks)
    return ["trunk", *(f"{kind}.{task}" for kind in ("branches", "heads") for task in tasks)]


def value_of_part(name: str, values: Mapping[str, Value], default: Value) -> Value:
    """The value of the smallest part that a part or parameter lies in: `heads.expression` is before `heads`."""
    parts = [part for part in values if f"{name}.".startswith(f"{part}.")]
    return values[max(parts, key=len)] if parts else default
