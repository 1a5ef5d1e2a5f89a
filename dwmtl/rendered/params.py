"""The section `render` of `params.yaml`."""

from typing import Annotated

from pydantic import Field

from dwmtl.section import Fraction, PositiveInt, Section, Seed


class RenderParams(Section):
    """The embedded data set of drawn faces."""

    seed: Seed = 0
    difficulty: Fraction = Field(
        default=0.4, description="0: frontal, evenly lit, clean; 1: strong pose, light and noise, mild peaks"
    )
    num_expression_subjects: PositiveInt = Field(
        default=25, description="people in the Oulu-CASIA tree, six sequences each"
    )
    num_frames: Annotated[int, Field(ge=4)] = Field(default=5, description="frames per sequence, neutral to peak")
    num_verification_people: Annotated[int, Field(ge=20)] = Field(
        default=60, description="people in the LFW tree; two or more for each of the ten blocks of pairs"
    )
    num_pairs_per_block: PositiveInt = Field(
        default=15, description="genuine pairs, and as many impostor pairs, in each of 10 blocks"
    )
    num_identity_people: PositiveInt = Field(default=120, description="people in the identity tree")
    num_photos_per_person: Annotated[int, Field(ge=2)] = Field(
        default=6, description="photos per person in the identity tree"
    )
