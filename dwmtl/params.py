"""`params.yaml`, typed and checked: the one place for values.

Every stage loads the whole file before it does anything, so that a typo in a late stage's section stops the first
stage. Knows no path except the sets' folders and the start's card, and nothing of how a value is used.
"""

import os
from itertools import combinations
from pathlib import Path, PurePath
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from dwmtl.crops.params import AlignParams
from dwmtl.datasets.params import IndexParams, SetParams
from dwmtl.errors import ParamsError
from dwmtl.evaluation.params import EvaluateParams
from dwmtl.network.params import NetworkParams, is_sharded
from dwmtl.params_errors import explain
from dwmtl.protocol.params import LabelsParams, PairsParams
from dwmtl.rendered.params import RenderParams
from dwmtl.report.params import ReportParams
from dwmtl.section import Section
from dwmtl.start_needs import require_start_fits
from dwmtl.tracking.params import TrackingParams
from dwmtl.training.params import ComputeParams, PretrainParams, TrainParams, part_names, smallest_parts, value_of_part
from dwmtl.training.task_params import AnyTaskParams
from dwmtl.yaml_text import parse_yaml

Checked = TypeVar("Checked", bound=BaseModel)


class Params(Section):
    """`params.yaml` as a whole."""

    sets: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], SetParams] = Field(description="by name")
    folds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = Field(description="folds to run, from 0")
    render: RenderParams = RenderParams()
    index: IndexParams = IndexParams()
    align: AlignParams = AlignParams()
    labels: LabelsParams = LabelsParams()
    pairs: PairsParams = PairsParams()
    network: NetworkParams = NetworkParams()
    tasks: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], AnyTaskParams] = Field(
        description="by name, in the order of their losses and weights; identity and expression are among them"
    )
    pretrain: PretrainParams = PretrainParams()
    train: TrainParams = TrainParams()
    evaluate: EvaluateParams = EvaluateParams()
    report: ReportParams = ReportParams()
    compute: ComputeParams = ComputeParams()
    tracking: TrackingParams = TrackingParams()

    def sets_of(self, role: str) -> list[str]:
        """Names of the sets with a role, sorted."""
        return sorted(name for name, values in self.sets.items() if values.role == role)

    @property
    def main_verification_set(self) -> str:
        """The verification set that gives the headline scores and the model's threshold."""
        return self.evaluate.main_set or self.sets_of("verification")[0]

    def pairs_file_of(self, name: str) -> Path | None:
        """`pairs.file` if it is below the folder of this set and the set's role is expression, else None."""
        if self.pairs.file is None or self.sets[name].role != "expression":
            return None
        folder, file = (os.path.realpath(path) for path in (self.sets[name].folder, self.pairs.file))
        return Path(self.pairs.file) if PurePath(file).is_relative_to(folder) else None

    @model_validator(mode="after")
    def _every_role_is_filled(self):
        for role in ("expression", "verification", "identity"):
            names = self.sets_of(role)
            if not names:
                raise ValueError(f"sets must hold a set of the role {role}. Got {names} instead.")
        return self

    @model_validator(mode="after")
    def _main_set_is_a_verification_set(self):
        names, main = self.sets_of("verification"), self.evaluate.main_set
        if main not in (names if len(names) > 1 else [None, *names]):
            raise ValueError(
                f"evaluate.main_set must be one of {', '.join(names)}: the verification set that gives the headline "
                f"scores and the model's threshold. Got {main} instead."
            )
        return self

    @model_validator(mode="after")
    def _nobody_is_trained_and_tested_on(self):
        folders = {name: PurePath(os.path.realpath(values.folder)) for name, values in self.sets.items()}
        for a, b in combinations(folders, 2):
            if folders[a].is_relative_to(folders[b]) or folders[b].is_relative_to(folders[a]):
                raise ValueError(
                    f"sets.{a}.folder and sets.{b}.folder are the same or one lies in the other ({folders[a]}, "
                    f"{folders[b]}): the network would be tested on people of its training. Choose folders of "
                    "different people."
                )
        return self

    @model_validator(mode="after")
    def _pairs_file_lies_in_a_set(self):
        if self.pairs.file is not None and not any(map(self.pairs_file_of, self.sets)):
            raise ValueError(
                "pairs.file must lie in the folder of a set of the role expression: its photos are that set's, and DVC "
                f"tracks that folder. Got {self.pairs.file} instead. Copy the file there."
            )
        return self

    @model_validator(mode="after")
    def _remap_has_a_file(self):
        for name, values in self.sets.items():
            if values.remap is not None and values.adapter != "authors_labels" and self.pairs_file_of(name) is None:
                raise ValueError(
                    f"sets.{name}.remap moves the paths of an authors' label file or of pairs.file, and the set has "
                    "neither. Remove it."
                )
        return self

    @model_validator(mode="after")
    def _folds_exist_once(self):
        self.labels.check_folds(self.folds)
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
        tasks, weighting = list(self.tasks), self.train.weighting
        classes = [name for name, task in self.tasks.items() if task.kind == "classes"]
        if not {"identity", "expression"} <= set(classes):
            raise ValueError(f"tasks must hold identity and expression, both of kind classes. Got {classes} instead.")
        if wrong := sorted(set(self.train.batch_norm.branches) - set(tasks)):
            raise ValueError(f"train.batch_norm.branches must name tasks ({', '.join(tasks)}). Got {wrong} instead.")
        for key in ("learning_rate_factors", "freeze"):
            if wrong := sorted(set(getattr(self.train, key)) - part_names(tasks)):
                raise ValueError(
                    f"train.{key} must name parts of the network ({', '.join(sorted(part_names(tasks)))}). Got {wrong} "
                    "instead."
                )
        if not any(value_of_part(part, self.train.freeze, 0) == 0 for part in smallest_parts(tasks)):
            raise ValueError("train.freeze must leave a part to train in the first epoch. Got all of them instead.")
        if self.train.balanced_task not in (None, *classes):
            raise ValueError(
                f"train.balanced_task must be one of {', '.join(classes)}. Got {self.train.balanced_task} instead."
            )
        if wrong := [name for name, task in self.tasks.items() if name != "identity" and is_sharded(task.head)]:
            raise ValueError(
                f"tasks.{wrong[0]}.head.sharded must be false: only the head of identity, which no validation reads, "
                "is split over processes. Got true instead."
            )
        for key in ("weights", "floors"):
            by_task = getattr(weighting, key, None)
            if by_task is not None and set(by_task) != set(tasks):
                raise ValueError(
                    f"train.weighting.{key} must name every task ({', '.join(tasks)}). Got {list(by_task)} instead."
                )
        if weighting.name == "single_task" and weighting.task not in tasks:
            raise ValueError(f"train.weighting.task must be one of {', '.join(tasks)}. Got {weighting.task} instead.")
        return self

    @model_validator(mode="after")
    def _moving_average_is_kept_where_it_is_evaluated(self):
        if self.evaluate.weights == "ema" and self.train.ema_decay is None:
            raise ValueError("evaluate.weights is ema, but train.ema_decay is null. Set a decay such as 0.999.")
        return self


def set_params(params: Params, name: str) -> SetParams:
    """The section of a set.

    Raises:
        ParamsError: the set does not exist.
    """
    if name not in params.sets:
        raise ParamsError(f"params.yaml has no set {name}; it has {', '.join(params.sets)}.")
    return params.sets[name]


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check `params.yaml`, also against the model that `train.start` names, where that is imported.

    Raises:
        ParamsError: the file is missing or no YAML, or a key is unknown, missing, of the wrong type, out of range or
            not what the start needs; the message names every such key.
    """
    params = parse_params(read_text(path), path)
    if params.train.start_is_imported:
        require_start_fits(params.train.start, params.model_dump(), Path(path).parent)
    return params


def load_align_params(path: Path = Path("params.yaml")) -> AlignParams:
    """Read and check only the section `align` of `params.yaml`, for photos that are not a set's.

    Raises:
        ParamsError: as `load_params`.
    """
    return _checked(_AlignOnly, read_text(path), path).align


def read_text(path: Path) -> str:
    """The text of `params.yaml`.

    Raises:
        ParamsError: the file is missing or no text.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such file. Run from the repository's root, or name the file.") from None
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path}: not YAML: {error}") from None


def parse_params(text: str, path: Path) -> Params:
    """The values of a text of `params.yaml`, checked by themselves; `path` names the file in errors.

    Raises:
        ParamsError: as `load_params`.
    """
    return _checked(Params, text, path)


class _AlignOnly(BaseModel):
    """The section `align`; the others are not checked."""

    align: AlignParams = AlignParams()


def _checked(kind: type[Checked], text: str, path: Path) -> Checked:
    values = parse_yaml(text, path)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise ParamsError("\n".join(f"{path}: {line}" for line in explain(error, values))) from None
