"""The section `report` of `params.yaml`."""

from typing import Annotated

from pydantic import Field, field_validator

from dwmtl.section import Section


class ReportParams(Section):
    """What the report adds to the scores, from the decisions that were written; nothing is evaluated again."""

    tar_at_fars: Annotated[list[Annotated[float, Field(ge=1e-6, lt=1)]], Field(min_length=1)] = Field(
        default=[1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1],
        description="false accept rates at which the report gives TAR for each verification set, over all its pairs; "
        "none is given where a rate allows not one of the set's impostor pairs",
    )
    group: str | None = Field(
        default=None,
        description="a further column of the manifests, such as `group` in faces.csv: the headline scores by its "
        "values, and the gap between them; null: none",
    )

    @field_validator("tar_at_fars")
    @classmethod
    def _fars_differ(cls, fars: list[float]) -> list[float]:
        if len({f"{far:g}" for far in fars}) < len(fars):
            raise ValueError(f"tar_at_fars must differ. Got {fars} instead.")
        return fars
