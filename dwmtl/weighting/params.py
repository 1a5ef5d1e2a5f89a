"""The section `train.weighting` of `params.yaml`: the name of a rule and the settings of that rule."""

from typing import Annotated, Literal, get_args

from pydantic import Field, TypeAdapter, field_validator

from dwmtl.section import NonNegativeFloat, PositiveFloat, Section

RelativeTo = Literal["nothing", "chance", "first", "mean"]


class UnitParams(Section):
    """How the parameters of a weighting with its own loss are trained."""

    optimizer: Literal["sgd", "adamw", "rmsprop_tf"] = Field(default="sgd", description="sgd with momentum 0.9")
    learning_rate: PositiveFloat = Field(default=0.1, description="constant")


class DynamicWeightingParams(UnitParams):
    """The paper's dynamic weights."""

    name: Literal["dynamic"] = "dynamic"
    normalize_logits: bool = Field(
        default=True, description="unit length before the softmax; bounds two weights to 0.1955..0.8045"
    )
    detach_weights: bool = Field(
        default=False, description="true: the gradient of the total loss does not reach the trunk through the weights"
    )
    sigma: PositiveFloat = Field(default=0.01, description="keeps weight / loss finite at a loss of 0")
    temperature: PositiveFloat = Field(default=1.0, description="of the softmax; higher: more even weights")
    relative_to: RelativeTo = Field(
        default="nothing",
        description="what a loss is divided by: chance, ln(classes); first, its own at the start; mean, of all so far",
    )
    smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="share of the losses' moving average kept at a step"
    )
    floors: dict[str, NonNegativeFloat] | None = Field(
        default=None, description="by task, added to its weight; null: none"
    )


class NaiveDynamicWeightingParams(Section):
    """The authors' baseline: the unit minimises the total loss together with the network."""

    name: Literal["naive_dynamic"] = "naive_dynamic"
    normalize_logits: bool = Field(default=True, description="as in `dynamic`")


class FixedWeightingParams(Section):
    """Constant task weights, chosen by the user."""

    name: Literal["fixed"] = "fixed"
    weights: dict[str, NonNegativeFloat] = Field(
        default={"identity": 1.0, "expression": 1.0}, description="by task; scaled to sum to 1"
    )

    @field_validator("weights")
    @classmethod
    def _some_task_has_a_weight(cls, weights: dict[str, float]) -> dict[str, float]:
        if not sum(weights.values()):
            raise ValueError("a weight must be > 0.")
        return weights


class EqualWeightingParams(Section):
    """The same constant weight for every task."""

    name: Literal["equal"] = "equal"


class SingleTaskWeightingParams(Section):
    """One task alone: the single-task baseline."""

    name: Literal["single_task"] = "single_task"
    task: str = Field(default="expression", description="the task that gets all the weight")


class UncertaintyWeightingParams(Section):
    """Homoscedastic uncertainty (Kendall et al. 2018): sum of L / (2 e^s) + s / 2, s a parameter per task."""

    name: Literal["uncertainty"] = "uncertainty"
    initial_log_variance: float = Field(default=-0.5, description="s at the start")


class ImtlLWeightingParams(Section):
    """IMTL-L (Liu et al. 2021): a scale per task, trained with the network."""

    name: Literal["imtl_l"] = "imtl_l"


class GeometricMeanWeightingParams(Section):
    """The geometric mean of the losses (Chennupati et al. 2019)."""

    name: Literal["geometric_mean"] = "geometric_mean"


class StchWeightingParams(Section):
    """Smooth Tchebycheff scalarisation (Lin et al. 2024): a smooth maximum of the losses."""

    name: Literal["stch"] = "stch"
    mu: PositiveFloat = Field(default=0.5, description="nats; lower: closer to the maximum")


class FamoWeightingParams(UnitParams):
    """FAMO (Liu et al. 2023): all losses fall at a similar rate."""

    name: Literal["famo"] = "famo"
    optimizer: Literal["sgd", "adamw", "rmsprop_tf"] = Field(default="adamw", description="sgd with momentum 0.9")
    learning_rate: PositiveFloat = Field(default=0.025, description="constant")


class DwaWeightingParams(Section):
    """Dynamic weight average (Liu et al. 2019), from the losses of the last two epochs."""

    name: Literal["dwa"] = "dwa"
    temperature: PositiveFloat = Field(default=2.0, description="higher: more even weights")


class RlwWeightingParams(Section):
    """Random loss weighting (Lin et al. 2022)."""

    name: Literal["rlw"] = "rlw"


class GradNormWeightingParams(UnitParams):
    """GradNorm (Chen et al. 2018): weights that balance the tasks' gradients at the last shared layer."""

    name: Literal["gradnorm"] = "gradnorm"
    optimizer: Literal["sgd", "adamw", "rmsprop_tf"] = Field(default="adamw", description="sgd with momentum 0.9")
    learning_rate: PositiveFloat = Field(default=0.025, description="constant")
    alpha: NonNegativeFloat = Field(default=1.5, description="how strongly tasks that train slowly are favoured")


class GradientRuleWeightingParams(Section):
    """TorchJD's rules, which weigh the tasks' gradients of the whole trunk."""

    name: Literal["pcgrad", "cagrad", "mgda", "upgrad", "imtl_g", "aligned_mtl", "fairgrad", "nash_mtl"]


class JacobianRuleWeightingParams(Section):
    """TorchJD's rules that do not weigh a task's gradient as a whole."""

    name: Literal["config", "graddrop"]


class GradVacWeightingParams(Section):
    """GradVac (Wang et al. 2021): gradients of the trunk turned towards each other."""

    name: Literal["gradvac"] = "gradvac"
    beta: Annotated[float, Field(ge=0, le=1)] = Field(default=0.01, description="how fast the usual cosines follow")


_Rules = (
    DynamicWeightingParams
    | NaiveDynamicWeightingParams
    | FixedWeightingParams
    | EqualWeightingParams
    | SingleTaskWeightingParams
    | UncertaintyWeightingParams
    | ImtlLWeightingParams
    | GeometricMeanWeightingParams
    | StchWeightingParams
    | FamoWeightingParams
    | DwaWeightingParams
    | RlwWeightingParams
    | GradNormWeightingParams
    | GradientRuleWeightingParams
    | JacobianRuleWeightingParams
    | GradVacWeightingParams
)
WeightingParams = Annotated[_Rules, Field(discriminator="name")]

WEIGHTINGS: dict[str, type[Section]] = {
    name: rule for rule in get_args(_Rules) for name in get_args(rule.model_fields["name"].annotation)
}
"""Value of `train.weighting.name` -> class of the rule's settings."""


def weighting_params(name: str, **settings: object) -> _Rules:
    """A rule's settings; those that are not given have their defaults."""
    return TypeAdapter(WeightingParams).validate_python({"name": name, **settings})


def rules_with(setting: str) -> list[str]:
    """Names of the rules that have a setting."""
    return [name for name, rule in WEIGHTINGS.items() if setting != "name" and setting in rule.model_fields]
