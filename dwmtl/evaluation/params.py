"""The section `evaluate` of `params.yaml`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dwmtl.section import PositiveInt, Section


class EvaluateParams(Section):
    """How a trained network is scored."""

    weights: Literal["raw", "ema"] = Field(default="raw", description="the trained weights, or their moving average")
    batch_size: PositiveInt = Field(default=64, description="crops embedded together")
    precision: Literal["auto", "32-true", "bf16-mixed"] = Field(
        default="32-true", description="of the network that is scored; auto: bf16 where the hardware is faster with it"
    )
    distance: Literal["squared_euclidean", "cosine"] = Field(
        default="squared_euclidean", description="between two embeddings; thresholds are in its unit"
    )
    flip: Literal["none", "concatenate", "sum"] = Field(
        default="none", description="how the mirrored crop's embedding is used"
    )
    subtract_mean: bool = Field(
        default=False, description="subtract the mean embedding of the other blocks before comparing"
    )
    far_targets: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Field(min_length=1)] = Field(
        default=[0.01, 0.1], description="false accept rates at which VAL is computed"
    )
    main_set: str | None = Field(
        default=None,
        description="of several verification sets the one that gives the headline scores and the model's threshold; "
        "each of the others has its row in the report; null: the only one",
    )

    @model_validator(mode="after")
    def _far_targets_differ(self):
        if len({f"{target:g}" for target in self.far_targets}) < len(self.far_targets):
            raise ValueError(f"far_targets must differ. Got {self.far_targets} instead.")
        return self
