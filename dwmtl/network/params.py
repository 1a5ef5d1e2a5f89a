"""The section `network` of `params.yaml`, and the heads of its tasks."""

from typing import Annotated, Literal

from pydantic import Field

from dwmtl.section import PositiveFloat, PositiveInt, Section


class NetworkParams(Section):
    """The network's body. Defaults of the authors in brackets where ours differ."""

    trunk: Annotated[str, Field(pattern=r"^(facelivenet|inception_resnet_v1|timm:[\w.]+)$")] = Field(
        default="facelivenet",
        description="facelivenet (1/1/1 blocks), inception_resnet_v1 (5/10/5, facenet's), or timm:<a model of timm>",
    )
    bottleneck: PositiveInt | None = Field(
        default=None,
        description="length of the embedding, by a linear layer with batch norm [facenet: 512]; null: trunk's width",
    )
    standardization: Literal["per_image", "fixed"] = Field(
        default="per_image",
        description="of a crop: mean 0 and deviation 1 a crop, or (x - 127.5) / 128 [facenet-pytorch]",
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.5, description="probability to drop, before the heads"
    )
    batch_norm_momentum: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.1, description="share of the batch in the running statistics [0.005: needs thousands of steps]"
    )
    linear_sigma: PositiveFloat = Field(default=0.02, description="deviation of a linear layer's initial weights [0.1]")


class LinearHeadParams(Section):
    """One linear layer."""

    name: Literal["linear"] = "linear"
    relu_on_logits: bool = Field(default=False, description="a ReLU after the logits: a fresh head can die under it")


class HiddenHeadParams(Section):
    """Linear to 128, ReLU, linear."""

    name: Literal["hidden"] = "hidden"
    relu_on_logits: bool = Field(
        default=False, description="the authors' last ReLU [true]: a fresh head can die under it"
    )


class ArcFaceHeadParams(Section):
    """Cosines of the vector and a class's weights, with an additive angular margin (Deng et al. 2019)."""

    name: Literal["arcface"] = "arcface"
    margin_deg: Annotated[float, Field(ge=0, lt=90)] = Field(description="added to the angle of the true class")
    scale: PositiveFloat = Field(description="factor of the cosines")


class CosFaceHeadParams(Section):
    """Cosines of the vector and a class's weights, with an additive cosine margin (Wang et al. 2018)."""

    name: Literal["cosface"] = "cosface"
    margin: Annotated[float, Field(ge=0, lt=1)] = Field(description="taken off the cosine of the true class")
    scale: PositiveFloat = Field(description="factor of the cosines")


HeadParams = Annotated[
    LinearHeadParams | HiddenHeadParams | ArcFaceHeadParams | CosFaceHeadParams, Field(discriminator="name")
]
