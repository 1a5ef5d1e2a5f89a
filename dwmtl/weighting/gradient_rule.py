"""Rules that weigh the tasks' gradients of the trunk, from TorchJD."""

from collections.abc import Callable

import torch
from torch import Tensor

from dwmtl.weighting.from_torchjd import aggregation, with_random_state
from dwmtl.weighting.weighting import Weighting, WeightingInput

CAGRAD_C = 0.5
"""How far CAGrad may go from the mean gradient, as a share of its norm: the middle of the paper's range."""

FAIRGRAD_ALPHA = 2.0
"""Kind of fairness: 1 is Nash-MTL's, infinity raises the task with the smallest gain."""


class GradientRuleWeighting(Weighting):
    """The trunk's gradient is the sum over tasks of w_t g_t, where g_t is the gradient of L_t.

    A task's branch and head get the gradient of the task's own loss, unweighted.

    Args:
        name: `pcgrad` (Yu et al. 2020), `cagrad` (Liu et al. 2021), `mgda` (Sener & Koltun 2018), `upgrad` (Quinton &
            Rey 2024), `imtl_g` (Liu et al. 2021), `aligned_mtl` (Senushkin et al. 2023), `fairgrad` (Ban & Ji 2024) or
            `nash_mtl` (Navon et al. 2022, whose condition, Gramian @ w = 1 / w, is FairGrad's with alpha 1).
    Raises:
        ParamsError: torchjd is not installed.
    """

    gradients_of = "trunk"
    weighs_gradients = True

    def __init__(self, name: str):
        super().__init__()
        self._rule = _torchjd_rule(name)

    def forward(self, given: WeightingInput) -> Tensor:
        labelled = given.has_label.nonzero().flatten()
        weights = torch.zeros_like(given.task_losses.detach())
        if len(labelled) == 1:
            weights[labelled] = 1.0
        elif len(labelled):
            assert given.gramian is not None  # the step computes it for a rule with `gradients_of`
            gramian = given.gramian.detach()[labelled][:, labelled].cpu()  # TorchJD solves small programs on the CPU
            weights[labelled] = with_random_state(given.generator, lambda: self._rule(gramian)).to(weights)
        return weights

    def masked(self, task_weights: Tensor, has_label: Tensor) -> Tensor:
        return task_weights  # computed from the labelled tasks alone


def _torchjd_rule(name: str) -> Callable[[Tensor], Tensor]:
    """Gramian (T, T) -> weights (T,)."""
    rules = aggregation(name)
    make = {
        "pcgrad": rules.PCGradWeighting,
        "cagrad": lambda: rules.CAGradWeighting(c=CAGRAD_C),
        "mgda": rules.MGDAWeighting,
        "upgrad": rules.UPGradWeighting,
        "imtl_g": rules.IMTLGWeighting,
        "aligned_mtl": rules.AlignedMTLWeighting,
        "fairgrad": lambda: rules.FairGradWeighting(alpha=FAIRGRAD_ALPHA),
        "nash_mtl": lambda: _of_norm_one(rules.FairGradWeighting(alpha=1.0)),
    }
    return make[name]()


def _of_norm_one(rule: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A rule on the Gramian divided by its norm, as Nash-MTL's authors do."""
    return lambda gramian: rule(gramian / gramian.norm().clamp(min=torch.finfo(gramian.dtype).tiny))
