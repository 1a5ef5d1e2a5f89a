"""Rules that weigh the tasks' gradients of the trunk, from TorchJD. The sole owner of torchjd, an optional extra."""

from collections.abc import Callable

import torch
from torch import Tensor

from dwmtl.errors import ParamsError
from dwmtl.weighting.weighting import Weighting, WeightingInput

CAGRAD_C = 0.5
"""How far CAGrad may go from the mean gradient, as a share of its norm: the middle of the paper's range."""


class GradientRuleWeighting(Weighting):
    """The trunk's gradient is the sum over tasks of w_t g_t, where g_t is the gradient of L_t.

    A task's branch and head get the gradient of the task's own loss, unweighted.

    Args:
        name: `pcgrad` (Yu et al. 2020), `cagrad` (Liu et al. 2021), `mgda` (Sener & Koltun 2018), `upgrad` (Quinton &
            Rey 2024), `imtl_g` (Liu et al. 2021) or `aligned_mtl` (Senushkin et al. 2023).
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
            weights[labelled] = self._weights_of(gramian, given.generator).to(weights)
        return weights

    def masked(self, task_weights: Tensor, has_label: Tensor) -> Tensor:
        return task_weights  # computed from the labelled tasks alone

    def _weights_of(self, gramian: Tensor, generator: torch.Generator) -> Tensor:
        """The rule's weights. TorchJD draws from the global generator, which gets the step's state for the call."""
        state = torch.get_rng_state()
        torch.set_rng_state(generator.get_state())
        try:
            return self._rule(gramian)
        finally:
            torch.set_rng_state(state)


def _torchjd_rule(name: str) -> Callable[[Tensor], Tensor]:
    """Gramian (T, T) -> weights (T,)."""
    try:
        from torchjd import aggregation
    except ImportError:
        raise ParamsError(f"train.weighting.name is {name}, which needs an extra: pip install 'dwmtl[jd]'.") from None
    make = {
        "pcgrad": aggregation.PCGradWeighting,
        "cagrad": lambda: aggregation.CAGradWeighting(c=CAGRAD_C),
        "mgda": aggregation.MGDAWeighting,
        "upgrad": aggregation.UPGradWeighting,
        "imtl_g": aggregation.IMTLGWeighting,
        "aligned_mtl": aggregation.AlignedMTLWeighting,
    }
    return make[name]()
