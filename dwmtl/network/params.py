"""The section `network` of `params.yaml`, the heads of its tasks, and the tasks that are not of classes."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from dwmtl.section import Fraction, PositiveFloat, PositiveInt, Section

OWN_EMBEDDINGS = r"iresnet(18|34|50|100|200)|mbf|mobilefacenet|adaface_ir_(18|34|50|101)"
"""Trunks whose branches end in layers that compute an embedding."""


class MeanStd(Section):
    """Standardisation by a mean and a deviation per channel, of values in 0..1; by default ImageNet's, as in timm."""

    mean: Annotated[list[Fraction], Field(min_length=3, max_length=3)] = Field(
        default=[0.485, 0.456, 0.406], description="of each channel, in the order of `channel_order`"
    )
    std: Annotated[list[PositiveFloat], Field(min_length=3, max_length=3)] = Field(
        default=[0.229, 0.224, 0.225], description="of each channel"
    )


Standardization = Annotated[
    Annotated[Literal["per_image", "fixed", "minus_one_to_one"], Tag("by_name")]
    | Annotated[MeanStd, Tag("by_channel")],
    Discriminator(lambda value: "by_channel" if isinstance(value, dict | MeanStd) else "by_name"),
]


class NetworkParams(Section):
    """The network without its heads. In brackets: values of the authors or other projects that differ from ours."""

    trunk: Annotated[str, Field(pattern=rf"^(facelivenet|inception_resnet_v1|{OWN_EMBEDDINGS}|timm:[\w.]+)$")] = Field(
        default="facelivenet",
        description="facelivenet (1/1/1 blocks), inception_resnet_v1 (5/10/5, facenet's), iresnet18 to iresnet200 and "
        "mbf (arcface_torch's), adaface_ir_18 to adaface_ir_101, mobilefacenet (112 x 96), or timm:<a model of timm>",
    )
    pretrained: bool = Field(
        False, description="timm only: `pretrain` starts from the weights that timm publishes, and downloads them"
    )
    bottleneck: PositiveInt | None = Field(
        default=None,
        description="length of the embedding, by a linear layer with batch norm [facenet: 512]; null: the trunk's "
        "width, or the network's own embedding",
    )
    standardization: Standardization = Field(
        default="per_image",
        description="per_image: mean 0 and deviation 1 per crop · fixed: (x - 127.5) / 128 [facenet-pytorch] · "
        "minus_one_to_one: (x - 127.5) / 127.5 [arcface_torch] · {mean: [...], std: [...]}: (x / 255 - mean) / std "
        "[timm]",
    )
    channel_order: Literal["rgb", "bgr"] = Field("rgb", description="order of the channels that the network expects")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.5, description="probability to drop a value before a branch's last linear layer, or before the heads"
    )
    batch_norm_momentum: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.1, description="share of the batch in the running statistics [0.005: needs thousands of steps]"
    )
    linear_sigma: PositiveFloat = Field(default=0.02, description="deviation of a linear layer's initial weights [0.1]")

    @model_validator(mode="after")
    def _one_embedding(self):
        if self.bottleneck is not None and re.fullmatch(OWN_EMBEDDINGS, self.trunk):
            raise ValueError(f"bottleneck must be null for {self.trunk}, which ends in an embedding of its own.")
        return self

    @model_validator(mode="after")
    def _weights_are_published(self):
        if self.pretrained and not self.trunk.startswith("timm:"):
            raise ValueError(f"pretrained must be false for {self.trunk}: only timm's trunks can be downloaded.")
        return self


SampleRate = Annotated[
    float,
    Field(
        gt=0,
        le=1,
        description="share of the classes that a training step computes with: those of its samples, and others at "
        "random (Partial FC); for very many identities",
        exclude_if=lambda rate: rate == 1,  # so that files written before there was a rate keep their bytes
    ),
]

Sharded = Annotated[
    bool,
    Field(
        description="each process of a training holds its share of the classes (Partial FC), of the task identity; for "
        "very many identities, on several devices",
        exclude_if=lambda is_sharded: not is_sharded,  # as the rate
    ),
]


class LinearHeadParams(Section):
    """One linear layer."""

    name: Literal["linear"] = "linear"
    relu_on_logits: bool = Field(default=False, description="a ReLU after the logits: a fresh head can die under it")
    sample_rate: SampleRate = 1.0
    sharded: Sharded = False

    @model_validator(mode="after")
    def _logits_of_some_classes_have_no_relu(self):
        if self.sample_rate < 1 and self.relu_on_logits:
            raise ValueError(f"relu_on_logits must be false where sample_rate is below 1. Got {self.sample_rate}.")
        if self.sharded and self.relu_on_logits:
            raise ValueError("relu_on_logits must be false where the head is sharded. Got true instead.")
        return self


class HiddenHeadParams(Section):
    """Linear to 128, ReLU, linear."""

    name: Literal["hidden"] = "hidden"
    relu_on_logits: bool = Field(
        default=False, description="the authors' last ReLU [true]: a fresh head can die under it"
    )


class ArcFaceHeadParams(Section):
    """Cosines between the vector and the classes' weights, with an additive angular margin (Deng et al. 2019)."""

    name: Literal["arcface"] = "arcface"
    margin_deg: Annotated[float, Field(ge=0, lt=90)] = Field(description="added to the angle of the true class")
    scale: PositiveFloat = Field(description="factor of the cosines")
    sample_rate: SampleRate = 1.0
    sharded: Sharded = False


class CosFaceHeadParams(Section):
    """Cosines between the vector and the classes' weights, with an additive cosine margin (Wang et al. 2018)."""

    name: Literal["cosface"] = "cosface"
    margin: Annotated[float, Field(ge=0, lt=1)] = Field(description="subtracted from the cosine of the true class")
    scale: PositiveFloat = Field(description="factor of the cosines")
    sample_rate: SampleRate = 1.0
    sharded: Sharded = False


class AdaFaceHeadParams(Section):
    """Cosines between the vector and the classes' weights, with a margin that adapts to the vector's length (Kim et al.
    2022). The defaults are the paper's."""

    name: Literal["adaface"] = "adaface"
    margin: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.4, description="m, of the angle and of the cosine")
    concentration: PositiveFloat = Field(
        default=0.333, description="h: lengths within 1 / h deviations of their mean have different margins"
    )
    scale: PositiveFloat = Field(default=64.0, description="factor of the cosines")
    length_momentum: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.99, description="share of the old mean and deviation of the lengths that a step keeps"
    )
    sample_rate: SampleRate = 1.0
    sharded: Sharded = False


HeadParams = Annotated[
    LinearHeadParams | HiddenHeadParams | ArcFaceHeadParams | CosFaceHeadParams | AdaFaceHeadParams,
    Field(discriminator="name"),
]


def is_sharded(head: HeadParams) -> bool:
    """Whether the processes of a training each hold a share of the head."""
    return not isinstance(head, HiddenHeadParams) and head.sharded


KindName = Literal["classes", "multi_label", "regression"]


class ColumnTaskParams(Section):
    """A task with an output per column of labels. A cell may be empty: its column then has no label of the photo."""

    labels: Annotated[list[str], Field(min_length=1)] = Field(description="columns of the labels, each once")
    head: Annotated[LinearHeadParams | HiddenHeadParams, Field(discriminator="name")] = HiddenHeadParams()

    @property
    def columns(self) -> list[str]:
        """Columns of the labels."""
        return self.labels

    @model_validator(mode="after")
    def _each_column_is_named_once(self):
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels must name each column once. Got {self.labels} instead.")
        return self

    @model_validator(mode="after")
    def _outputs_may_be_negative(self):
        if self.head.relu_on_logits:
            raise ValueError("head.relu_on_logits must be false: only the logits of classes may go through a ReLU.")
        return self

    @model_validator(mode="after")
    def _every_column_is_computed(self):
        if isinstance(self.head, LinearHeadParams) and self.head.sample_rate < 1:
            raise ValueError(f"head.sample_rate must be 1: only classes are sampled. Got {self.head.sample_rate}.")
        return self


class MultiLabelLossParams(Section):
    """Binary cross-entropy of each label."""

    name: Literal["bce"] = Field(default="bce", description="binary cross-entropy, the mean over all labels given")


class MultiLabelTaskParams(ColumnTaskParams):
    """Labels that are shown or not, each for itself, such as action units; cells 0, 1 or empty."""

    range: ClassVar[None] = None
    kind: Literal["multi_label"] = Field(description="what the labels are")
    loss: MultiLabelLossParams = MultiLabelLossParams()


class RegressionLossParams(Section):
    """How far values are from their labels."""

    name: Literal["ccc", "mse", "mae"] = Field(
        default="ccc",
        description="1 - the concordance correlation of a batch, the mean over the columns; or the squared or absolute "
        "difference in units of half the range",
    )


class RegressionTaskParams(ColumnTaskParams):
    """Values, such as valence and arousal, or an age; cells are numbers or empty."""

    kind: Literal["regression"] = Field(description="what the labels are")
    range: Annotated[list[float], Field(min_length=2, max_length=2)] = Field(
        description="lowest and highest value; a label beyond is an error, an answer is clipped [-1, 1 for valence]"
    )
    loss: RegressionLossParams = RegressionLossParams()

    @model_validator(mode="after")
    def _range_rises(self):
        if not self.range[0] < self.range[1]:
            raise ValueError(f"range must be [lowest, highest]. Got {self.range} instead.")
        return self
