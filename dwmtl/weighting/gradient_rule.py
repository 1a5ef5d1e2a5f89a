"""Rules on the tasks' gradients of the trunk, by the library TorchJD; its sole owner, an optional extra."""

from collections.abc import Callable

import torch
from torch import Tensor

from dwmtl.errors import ParamsError
from dwmtl.weighting.weighting import Weighting, WeightingInput

CAGRAD_C = 0.5
"""How far CAGrad may go from the mean gradient, as a share of its norm: the middle of its paper's range."""


class GradientRuleWeighting(Weighting):
    """The trunk gets the sum over tasks of w_t g_t, g_t its gradient of L_t; a task's own part its own gradient.

    Args:
        name: `pcgrad` (Yu et al. 2020), `cagrad` (Liu et al. 2021), `mgda` (Sener & Koltun 2018), `upgrad` (Quinton &
            Rey 2024), `imtl_g` (Liu et al. 2021) or `aligned_mtl` (Senushkin et al. 2023).
        seed: of a rule that draws (pcgrad, the order of three and more tasks).
    Raises:
        ParamsError: torchjd is not installed.
    """

    gradients_of = "trunk"
    weighs_gradients = True

    def __init__(self, name: str, *, seed: int):
        super().__init__()
        self._rule = _torchjd_rule(name)
        self._generator = torch.Generator().manual_seed(seed)

    def get_extra_state(self) -> Tensor:
        """The generator's, so that a resumed training draws on."""
        return self._generator.get_state()

    def set_extra_state(self, state: Tensor) -> None:
        """Draw on from there."""
        self._generator.set_state(state)

    def forward(self, given: WeightingInput) -> Tensor:
        there = given.has_label.nonzero().flatten()
        gramian = given.gramian.detach()[there][:, there].cpu()  # the rules are small programs, not tensor work
        weights = torch.zeros_like(given.task_losses.detach())
        if len(there) == 1:
            weights[there] = 1.0
        elif len(there):
            weights[there] = self._weights_of(gramian).to(weights)
        return weights

    def masked(self, task_weights: Tensor, has_label: Tensor) -> Tensor:
        return task_weights  # the rule was asked about the labelled tasks alone

    def _weights_of(self, gramian: Tensor) -> Tensor:
        """The rule's weights; it draws from the global generator, which is lent to it in the state of our own."""
        state = torch.get_rng_state()
        torch.set_rng_state(self._generator.get_state())
        weights = self._rule(gramian)
        self._generator.set_state(torch.get_rng_state())
        torch.set_rng_state(state)
        return weights


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
