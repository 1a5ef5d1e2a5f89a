"""The section `align` of `params.yaml`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dwmtl.section import CropPx, Fraction, PositiveInt, Section, crop_size


class AlignParams(Section):
    """Face detection (MTCNN) and cropping."""

    crop_px: CropPx = Field(
        default=112,
        description="side of a crop, and of the network's input, pixels; or [height, width], such as [112, 96]",
    )
    crop_form: Literal["margin_in_crop", "margin_in_photo", "similarity"] = Field(
        default="margin_in_crop",
        description="margin_in_crop: the box, grown by a share of the face, the margin as wide in every crop "
        "[facenet-pytorch] · margin_in_photo: the box, grown by pixels of the photo [facenet] · similarity: five "
        "landmarks laid on a template, the face upright [insightface]",
    )
    margin_px: Annotated[int, Field(ge=0)] = Field(
        default=14,
        description="width added to the box, pixels of the crop or of the photo; ignored by `similarity`",
    )
    min_face_px: Annotated[int, Field(ge=12)] = Field(
        default=40, description="smallest face searched for, pixels of the photo"
    )
    thresholds: Annotated[list[Fraction], Field(min_length=3, max_length=3)] = Field(
        default=[0.6, 0.7, 0.7], description="confidence kept by the P-, R- and O-Net"
    )
    pyramid_factor: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.709, description="scale from one pyramid level to the next"
    )
    select: Literal["center_weighted_size", "largest", "most_confident"] = Field(
        default="center_weighted_size", description="which of several faces is cropped"
    )
    batch_size: PositiveInt = Field(default=32, description="photos that a thread decodes, detects and crops together")
    crops_a_shard: PositiveInt | None = Field(
        default=None,
        description="photos per archive of crops [10000]; null: a file per crop, which DVC handles up to some hundred "
        "thousand",
    )

    @model_validator(mode="after")
    def _margin_leaves_a_face(self):
        if self.crop_form == "margin_in_crop" and self.margin_px >= min(crop_size(self.crop_px)):
            raise ValueError(f"margin_px must be < crop_px ({self.crop_px}). Got {self.margin_px} instead.")
        return self
