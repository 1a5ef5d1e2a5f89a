"""The section `train.weighting` of `params.yaml`: a rule and its settings."""

from typing import Literal

from pydantic import Field, field_validator

from dwmtl.section import NonNegativeFloat, PositiveFloat, Section


class UnitParams(Section):
    """How a weighting that learns by a loss of its own is trained."""

    optimizer: Literal["sgd", "adamw", "rmsprop_tf"] = Field(description="sgd with momentum 0.9")
    learning_rate: PositiveFloat


class DynamicWeightingParams(UnitParams):
    """The paper's dynamic weights."""

    normalize_logits: bool = Field(description="unit length before the softmax; bounds two weights to 0.1955..0.8045")
    detach_weights: bool = Field(description="true: the total loss does not reach the trunk through the weights")
    sigma: PositiveFloat = Field(description="keeps weight / loss finite at a loss of 0")
    floors: dict[str, NonNegativeFloat] | None = Field(description="by task, added to its weight; null: none")


class NaiveDynamicWeightingParams(Section):
    """The authors' baseline: the unit minimises the total loss with everything else."""

    normalize_logits: bool


class FixedWeightingParams(Section):
    """Constant task weights of one's own choice."""

    weights: dict[str, NonNegativeFloat] = Field(description="by task; they are scaled to sum to 1")

    @field_validator("weights")
    @classmethod
    def _some_task_has_a_weight(cls, weights: dict[str, float]) -> dict[str, float]:
        if not sum(weights.values()):
            raise ValueError("a weight must be > 0.")
        return weights


class SingleTaskWeightingParams(Section):
    """One task alone: the single-task baseline."""

    task: str


class UncertaintyWeightingParams(Section):
    """Homoscedastic uncertainty (Kendall et al. 2018): sum of L / (2 e^s) + s / 2, s a parameter a task."""

    initial_log_variance: float = Field(description="s at the start [-0.5]")


class DwaWeightingParams(Section):
    """Dynamic weight average (Liu et al. 2019), from the losses of the last two epochs."""

    temperature: PositiveFloat = Field(description="higher: more even weights [2]")


class GradNormWeightingParams(UnitParams):
    """GradNorm (Chen et al. 2018): weights that even out the tasks' gradients at the last shared layer."""

    alpha: NonNegativeFloat = Field(description="how strongly slow tasks are pulled on [1.5]")


class WeightingParams(Section):
    """The rule that weighs the tasks, and the settings of each rule that has any; only the named one's matter.

    The names from `pcgrad` on are TorchJD's rules on the tasks' gradients of the whole trunk.
    """

    name: Literal[
        "dynamic", "naive_dynamic", "fixed", "equal", "single_task", "uncertainty", "dwa", "rlw", "gradnorm",
        "pcgrad", "cagrad", "mgda", "upgrad", "imtl_g", "aligned_mtl",
    ]  # fmt: skip
    dynamic: DynamicWeightingParams
    naive_dynamic: NaiveDynamicWeightingParams
    fixed: FixedWeightingParams
    single_task: SingleTaskWeightingParams
    uncertainty: UncertaintyWeightingParams
    dwa: DwaWeightingParams
    gradnorm: GradNormWeightingParams

    @property
    def settings(self) -> Section | None:
        """Those of the named rule; None for a rule without any."""
        return getattr(self, self.name, None)
