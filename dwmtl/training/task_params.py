"""The section `tasks` of `params.yaml`: what a network predicts of a face, and the losses that train it."""

from typing import Annotated, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from dwmtl.network.params import (
    HeadParams,
    HiddenHeadParams,
    MultiLabelLossParams,
    MultiLabelTaskParams,
    RegressionLossParams,
    RegressionTaskParams,
    is_sharded,
)
from dwmtl.section import Fraction, NonNegativeFloat, Section


class LossParams(Section):
    """A task's loss: cross-entropy, and a centre loss on the task's vector (Wen et al. 2016) where it has a factor."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    center_factor: NonNegativeFloat = Field(
        default=0.0, description="weight of the centre loss beside the cross-entropy; 0: none"
    )
    center_alpha: Fraction = Field(
        default=0.5, description="share of a centre kept when it moves; 1: centres never move"
    )
    class_weights: Literal["none", "inverse_sqrt", "inverse"] = Field(
        default="none",
        description="of the cross-entropy, from the training photos: all alike; 1 / sqrt(photos of the class); or 1 / "
        "photos of the class; scaled to a mean of 1 over the photos",
    )
    max_class_weight_ratio: Annotated[float, Field(ge=1)] = Field(
        default=10.0, description="a class weight is at most this many times that of the most frequent class"
    )


class TaskParams(Section):
    """A task of classes: which of them a face shows, by its branch and its head."""

    range: ClassVar[None] = None
    kind: Literal["classes"] = Field(
        default="classes",
        exclude_if=lambda kind: True,  # so that files written before there were kinds keep their bytes
        description="what the labels are: classes, or multi_label or regression, which have keys of their own",
    )
    labels: str = Field(description="column of the labels; each of its values is a class, an empty cell no label")
    head: HeadParams = HiddenHeadParams()
    loss: LossParams = LossParams()

    @property
    def columns(self) -> list[str]:
        """The column of the labels."""
        return [self.labels]

    @model_validator(mode="after")
    def _margin_and_sharded_heads_do_not_smooth(self):
        reason = "where the head is sharded" if is_sharded(self.head) else "under a margin"
        if (self.head.name not in ("linear", "hidden") or is_sharded(self.head)) and self.loss.label_smoothing:
            raise ValueError(f"loss.label_smoothing must be 0 {reason}. Got {self.loss.label_smoothing} instead.")
        return self


def kind_of(task: object) -> str:
    """The kind of a task, read or not yet read."""
    return str(task.get("kind", "classes") if isinstance(task, dict) else getattr(task, "kind", "classes"))


AnyTaskParams = Annotated[
    Annotated[TaskParams, Tag("classes")]
    | Annotated[MultiLabelTaskParams, Tag("multi_label")]
    | Annotated[RegressionTaskParams, Tag("regression")],
    Discriminator(kind_of),
]
"""A task of any kind."""
AnyLossParams = LossParams | MultiLabelLossParams | RegressionLossParams
