"""The base of every section of `params.yaml`: typed, strict, without unknown keys, and immutable."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

Fraction = Annotated[float, Field(ge=0, le=1)]
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]

MIN_CROP_SIDE_PX = 80
CropSidePx = Annotated[int, Field(ge=MIN_CROP_SIDE_PX)]
CropPx = Annotated[
    Annotated[CropSidePx, Tag("side")]
    | Annotated[list[CropSidePx], Field(min_length=2, max_length=2), Tag("height_and_width")],
    Discriminator(lambda value: "height_and_width" if isinstance(value, list) else "side"),
]
"""The side of a square crop, or height and width; pixels."""


def crop_size(crop_px: int | Sequence[int]) -> tuple[int, int]:
    """Height and width of a crop, pixels."""
    if isinstance(crop_px, int):
        return crop_px, crop_px
    height, width = crop_px
    return height, width


class Section(BaseModel):
    """A section of `params.yaml`: unknown keys, wrong types and values out of range are errors; immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
