"""The sections `sets` and `index` of `params.yaml`."""

from typing import Literal

from pydantic import Field

from dwmtl.section import PositiveInt, Section


class SetParams(Section):
    """A data set: where it lies, how it is read, and what for. Sets of one role are joined."""

    role: Literal["expression", "verification", "identity"] = Field(
        description="expression: trained and tested on, by fold · verification: other people with official pairs, "
        "tested on only · identity: many people, several photos each, the trunk starts from them"
    )
    adapter: str = Field(description="how the folder is read: a name in dwmtl/datasets/adapters.py")
    folder: str = Field(description="the set's folder, relative to the repository's root or absolute")
    is_aligned: bool = Field(
        default=False, description="its pictures are crops already: they are scaled, nothing is detected"
    )
    expressions: dict[str, str | None] | None = Field(
        default=None,
        description="the set's names of expressions -> the common ones, null for one left out; null: as they are",
    )


class IndexParams(Section):
    """The frame rule: which frames of an expression sequence are used."""

    num_peak_frames: PositiveInt = Field(default=3, description="last frames of a sequence that show its expression")
