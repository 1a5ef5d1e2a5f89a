"""The sections `sets` and `index` of `params.yaml`."""

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from dwmtl.section import PositiveInt, Section

_OPTIONS = {"lfw": ("view",), "authors_labels": ("labels_file", "remap"), "fer2013": ("fer_plus_labels",)}
"""Adapter -> the arguments of its `read` besides the folder and the frame rule."""


class SetParams(Section):
    """A data set: its folder, its adapter and its role.

    Sets of the same role are joined, except that each verification set keeps its own pairs, blocks and scores.
    """

    role: Literal["expression", "verification", "identity"] = Field(
        description="expression: trained and tested on, by fold · verification: other people with official pairs, "
        "tested on only · identity: many people, several photos each, which pretrain the trunk"
    )
    adapter: str = Field(description="how the folder is read: a name in dwmtl/datasets/adapters.py")
    folder: str = Field(description="the set's folder, relative to the repository's root or absolute")
    is_aligned: bool = Field(
        default=False, description="its pictures are crops already: they are scaled, no face is detected"
    )
    enlarge_to_px: PositiveInt | None = Field(
        default=None,
        description="photos whose longer side is shorter are enlarged to it, pixels, and set into a grey frame half as "
        "large again, before a face is looked for [160 for faces of 48 px that fill the picture]; null: as they are",
    )
    expressions: dict[str, str | None] | None = Field(
        default=None,
        description="the set's names of expressions -> the common names, null to leave one out; null: names are kept",
    )
    view: Literal["1-train", "1-test"] | None = Field(
        default=None,
        description="of lfw: View 1, the pairs for development (pairsDevTrain.txt, pairsDevTest.txt); null: View 2, "
        "pairs.txt",
    )
    fer_plus_labels: Literal["majority", "votes"] | None = Field(
        default=None,
        exclude_if=lambda labels: labels is None,  # so that reports written before it keep their bytes
        description="of fer2013: majority: the labels of FER+, fer2013new.csv, by majority; votes: the same, and the "
        "expression is trained with the shares of the votes; null: those of fer2013.csv",
    )
    labels_file: str | None = Field(
        default=None,
        description="of authors_labels: the label file, relative to the set's folder; null: the only .txt file there",
    )
    remap: Annotated[dict[str, str], Field(min_length=1, max_length=1)] | None = Field(
        default=None,
        description="for an authors' label or pair file with paths of another machine: the folder above them -> the "
        "folder below the set's folder that replaces it, '' for the set's folder itself",
    )

    @property
    def moved_from_to(self) -> tuple[str, str] | None:
        """`remap` as old and new folder."""
        return None if self.remap is None else next(iter(self.remap.items()))

    @property
    def adapter_options(self) -> dict[str, object]:
        """The arguments of the adapter's `read` besides the folder and the frame rule."""
        names = {name for options in _OPTIONS.values() for name in options}
        values = {name: getattr(self, name) for name in names} | {"remap": self.moved_from_to}
        return {name: values[name] for name in _OPTIONS.get(self.adapter, ())}

    @field_validator("labels_file")
    @classmethod
    def _labels_file_is_in_the_folder(cls, labels_file: str | None) -> str | None:
        path = PurePosixPath(labels_file or "labels.txt")
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(
                "labels_file must be a path below the set's folder, so that DVC tracks it. Copy the file there."
            )
        return labels_file

    @model_validator(mode="after")
    def _crops_are_not_enlarged(self):
        if self.is_aligned and self.enlarge_to_px is not None:
            raise ValueError("enlarge_to_px must be null where is_aligned is true: no face is looked for there.")
        return self

    @model_validator(mode="after")
    def _votes_keep_their_names(self):
        renamed = [name for name, new in (self.expressions or {}).items() if new not in (name, None)]
        if self.fer_plus_labels == "votes" and renamed:
            raise ValueError(f"expressions must rename none where fer_plus_labels is votes. Got {renamed} instead.")
        return self

    @model_validator(mode="after")
    def _options_are_of_the_adapter(self):
        for adapter, name in (("lfw", "view"), ("authors_labels", "labels_file"), ("fer2013", "fer_plus_labels")):
            if getattr(self, name) is not None and self.adapter != adapter:
                raise ValueError(f"{name} is an option of the adapter {adapter}. Got adapter {self.adapter} instead.")
        return self


class IndexParams(Section):
    """The frame rule: which frames of an expression sequence are used."""

    num_peak_frames: PositiveInt = Field(default=3, description="last frames of a sequence that show its expression")
