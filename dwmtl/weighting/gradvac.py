"""GradVac: turns the tasks' gradients towards each other until they are as alike as they usually are."""

import torch
from torch import Tensor

from dwmtl.weighting.weighting import Weighting, WeightingInput

_SMALLEST = 1e-8


class GradVacWeighting(Weighting):
    """The trunk's gradient is the sum over tasks of v_i, where v_i starts as the task's gradient g_i.

    For each other task j, in drawn order, with p = cos(v_i, g_j) and its moving average a: where p < a,
    v_i += |v_i| (a sqrt(1 - p^2) - p sqrt(1 - a^2)) / (|g_j| sqrt(1 - a^2)) g_j, after which cos(v_i, g_j) = a; then a
    moves towards p by `beta`. A task's branch and head get the gradient of the task's own loss, unweighted.

    Args:
        beta: in [0, 1], how fast the averages, 0 at the start, follow.
    Source: Wang et al. 2021 (ICLR), arXiv:2010.05874.
    """

    gradients_of = "trunk"
    weighs_gradients = True
    usual_cosines: Tensor

    def __init__(self, num_tasks: int, *, beta: float):
        super().__init__()
        self.beta = beta
        self.register_buffer("usual_cosines", torch.zeros(num_tasks, num_tasks))

    def forward(self, given: WeightingInput) -> Tensor:
        assert given.gramian is not None  # the step computes it for a rule with `gradients_of`
        gramian, labelled = given.gramian.detach(), given.has_label.nonzero().flatten().tolist()
        weights = torch.zeros_like(given.task_losses.detach())
        for task in labelled:
            weights += self._turned(task, [other for other in labelled if other != task], gramian, given.generator)
        return weights

    def masked(self, task_weights: Tensor, has_label: Tensor) -> Tensor:
        return task_weights  # computed from the labelled tasks alone

    def _turned(self, task: int, others: list[int], gramian: Tensor, generator: torch.Generator) -> Tensor:
        """v of a task, as factors of the tasks' gradients: (T,)."""
        factors = torch.zeros_like(gramian[0])
        factors[task] = 1.0
        for place in torch.randperm(len(others), generator=generator).tolist():
            other = others[place]
            own_norm = (factors @ gramian @ factors).clamp(min=0).sqrt()
            other_norm = gramian[other, other].clamp(min=0).sqrt()
            cosine = (factors @ gramian[:, other]) / (own_norm * other_norm + _SMALLEST)
            usual = self.usual_cosines[task, other].clone()
            if cosine < usual:
                sines = [(1 - value.square()).clamp(min=0).sqrt() for value in (cosine, usual)]
                factors[other] += (
                    own_norm * (usual * sines[0] - cosine * sines[1]) / (other_norm * sines[1] + _SMALLEST)
                )
            self.usual_cosines[task, other] = (1 - self.beta) * usual + self.beta * cosine
        return factors
